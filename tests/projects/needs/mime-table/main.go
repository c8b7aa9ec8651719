// The type of a file that Go does not know by itself.
package main

import (
	"fmt"
	"mime"
	"os"
)

func main() {
	if kind := mime.TypeByExtension(".epub"); kind != "application/epub+zip" {
		check(fmt.Errorf("the type of .epub is %q", kind))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
