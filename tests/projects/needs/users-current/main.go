// Who am I?
package main

import (
	"fmt"
	"os"
	"os/user"
)

func main() {
	me, err := user.Current()
	check(err)
	fmt.Println(me.Username)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
