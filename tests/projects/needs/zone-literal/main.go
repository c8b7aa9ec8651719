// One zone, by a literal name.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	paris, err := time.LoadLocation("Europe/Paris")
	check(err)
	fmt.Println(time.Now().In(paris))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
