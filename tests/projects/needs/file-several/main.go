// Several templates in a list that is spread over the call.
package main

import (
	"fmt"
	"html/template"
	"os"
)

func main() {
	files := []string{"pages/base.html", "pages/home.html"}
	pages, err := template.ParseFiles(files...)
	check(err)
	check(pages.Execute(os.Stdout, nil))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
