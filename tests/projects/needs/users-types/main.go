// Uses what os/user defines, and the home folder from the environment, but looks nobody up.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
)

func main() {
	owner := user.User{Uid: fmt.Sprint(os.Getuid()), Name: os.Getenv("OWNER")}
	var unknown user.UnknownUserError
	fmt.Println(owner.Uid, errors.As(errors.New("x"), &unknown))
	_, _ = os.UserHomeDir()
	check(nil)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
