// Uses the default transport without any client.
package main

import (
	"fmt"
	"net/http"
	"os"
)

type logged struct{ next http.RoundTripper }

func (l logged) RoundTrip(request *http.Request) (*http.Response, error) {
	fmt.Println(request.URL)
	return l.next.RoundTrip(request)
}

func main() {
	request, err := http.NewRequest("GET", os.Args[1], nil)
	check(err)
	answer, err := logged{http.DefaultTransport}.RoundTrip(request)
	check(err)
	answer.Body.Close()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
