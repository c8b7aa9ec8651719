// The client is hidden behind an interface, so nothing calls (*http.Client).Do by name.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

type doer interface {
	Do(*http.Request) (*http.Response, error)
}

type api struct{ client doer }

func (a api) ask(address string) error {
	request, err := http.NewRequest("GET", address, nil)
	if err != nil {
		return err
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func newClient() doer { return &http.Client{Timeout: 5 * time.Second} }

func main() {
	check(api{newClient()}.ask(os.Args[1]))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
