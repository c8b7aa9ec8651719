// Every client trusts only what the program is given.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
)

func newClient(roots *x509.CertPool) *http.Client {
	settings := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: settings}}
}

func main() {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(os.Getenv("ROOTS"))) {
		check(errors.New("ROOTS holds no certificate"))
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
