// Starts another program.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

const shell = "sh"

func main() {
	check(exec.CommandContext(context.Background(), shell, "-c", "exit 0").Run())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
