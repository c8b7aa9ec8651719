// The function that asks is chosen at run time and handed on as a value.
package main

import (
	"fmt"
	"os"

	"example.com/certificates-value/remote"
)

var commands = map[string]func(string) error{"fetch": remote.Fetch}

func main() {
	check(commands["fetch"](os.Args[1]))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
