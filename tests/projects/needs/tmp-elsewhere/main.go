// Temporary files, but in a folder of its own, and beside the file they replace.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func replace(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func main() {
	_, err := os.MkdirTemp("/data", "work-*")
	check(err)
	check(replace("/data/state", []byte("x")))
	fmt.Println("not in", os.TempDir())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
