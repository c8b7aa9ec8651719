// The zones are linked into the program.
package main

import (
	"fmt"
	"os"
	"time"
	_ "time/tzdata"
)

func main() {
	place, err := time.LoadLocation(os.Getenv("PLACE") + "Europe/Paris")
	check(err)
	fmt.Println(time.Now().In(place))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
