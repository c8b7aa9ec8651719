// A client that skips verification only when it is told to.
package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
)

func main() {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if os.Getenv("INSECURE") != "" {
		settings.InsecureSkipVerify = true
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: settings}}
	answer, err := client.Get(os.Args[1])
	check(err)
	answer.Body.Close()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
