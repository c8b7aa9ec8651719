// Any zone: its name comes from outside.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	name := "UTC"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	place, err := time.LoadLocation(name)
	check(err)
	fmt.Println(time.Now().In(place))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
