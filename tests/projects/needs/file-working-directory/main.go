// A folder named from the working directory, as the file servers of many examples are.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	here, err := os.Getwd()
	check(err)
	found, err := fs.ReadFile(os.DirFS(filepath.Join(here, "public")), "page.txt")
	check(err)
	os.Stdout.Write(found)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
