// Serves only files whose types Go knows by itself.
package main

import (
	"embed"
	"fmt"
	"mime"
	"net"
	"net/http"
	"os"
)

//go:embed page.html page.css
var pages embed.FS

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go http.Serve(listener, http.FileServerFS(pages))
	answer, err := http.Get("http://" + "127.0.0.1:" + fmt.Sprint(listener.Addr().(*net.TCPAddr).Port) + "/page.css")
	check(err)
	if kind := answer.Header.Get("Content-Type"); kind != mime.TypeByExtension(".css") {
		check(fmt.Errorf("the type is %q", kind))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
