// A client with roots of its own where it is given some, and the system's otherwise.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
)

func newClient(roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

func main() {
	var roots *x509.CertPool
	if given := os.Getenv("ROOTS"); given != "" {
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(given))
	}
	answer, err := newClient(roots).Get(os.Args[1])
	check(err)
	answer.Body.Close()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
