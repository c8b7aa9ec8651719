// Names that need no file.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	for _, name := range []string{"UTC", "Local", ""} {
		place, err := time.LoadLocation(name)
		check(err)
		fmt.Println(time.Now().In(place))
	}
	_, err := time.ParseInLocation(time.DateTime, "2026-01-02 03:04:05", time.FixedZone("CET", 3600))
	check(err)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
