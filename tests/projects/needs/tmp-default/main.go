// A temporary file where the system keeps them.
package main

import (
	"fmt"
	"os"
)

func main() {
	file, err := os.CreateTemp("", "upload-*")
	check(err)
	check(file.Close())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
