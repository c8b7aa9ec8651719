// Passes requests on to an address that is given as an argument.
package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	backend, err := url.Parse(os.Args[1])
	check(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go http.Serve(listener, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(backend) }})
	answer, err := http.Get("http://127.0.0.1:" + fmt.Sprint(listener.Addr().(*net.TCPAddr).Port))
	check(err)
	if answer.StatusCode != http.StatusOK {
		check(fmt.Errorf("the proxy answered %s", answer.Status))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
