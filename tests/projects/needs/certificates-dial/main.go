// A TLS connection without a configuration of its own.
package main

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"os"
)

func main() {
	address, err := url.Parse(os.Args[1])
	check(err)
	connection, err := tls.Dial("tcp", address.Host, &tls.Config{MinVersion: tls.VersionTLS12})
	check(err)
	connection.Close()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
