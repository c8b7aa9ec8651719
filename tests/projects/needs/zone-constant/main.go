// One zone, named by a constant of another package and passed through a function.
package main

import (
	"fmt"
	"os"
	"time"

	"example.com/zone-constant/place"
)

func in(name string) (*time.Location, error) { return time.LoadLocation(name) }

func main() {
	office, err := in(place.Office)
	check(err)
	fmt.Println(time.Now().In(office))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
