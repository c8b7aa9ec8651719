// Parts of an upload that do not fit into memory go to temporary files.
package main

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
)

func main() {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("picture", "picture.bin")
	check(err)
	_, err = part.Write(make([]byte, 1<<16))
	check(err)
	check(form.Close())
	request, err := http.NewRequest("POST", "/", &body)
	check(err)
	request.Header.Set("Content-Type", form.FormDataContentType())
	check(request.ParseMultipartForm(1))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
