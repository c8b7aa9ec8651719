// Templates that are read when the program starts.
package main

import (
	"fmt"
	"html/template"
	"os"
	"path/filepath"
)

var folder = "templates"

func main() {
	pages, err := template.ParseGlob(filepath.Join(folder, "*.html"))
	check(err)
	check(pages.ExecuteTemplate(os.Stdout, "index.html", "world"))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
