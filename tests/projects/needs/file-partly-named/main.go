// A file whose name is known in part: any page of the folder, and nothing else in it.
package main

import (
	"fmt"
	"os"
)

func main() {
	text, err := os.ReadFile("pages/" + os.Args[1] + ".md")
	check(err)
	os.Stdout.Write(text)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
