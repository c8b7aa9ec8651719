// Templates inside the program; a report that is only written; a setting outside the repository that may be missing.
package main

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
)

//go:embed templates
var pages embed.FS

func old() (*template.Template, error) { return template.ParseFiles("templates/index.html") }

func main() {
	page, err := template.ParseFS(pages, "templates/*.html")
	check(err)
	report, err := os.Create("/data/report.txt")
	check(err)
	check(page.ExecuteTemplate(report, "index.html", "world"))
	if _, err := os.ReadFile("/etc/app/settings.json"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		check(err)
	}
	if _, err := os.ReadFile("../main.go"); err == nil {
		check(errors.New("there is something outside"))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
