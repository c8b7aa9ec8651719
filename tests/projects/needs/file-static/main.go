// A folder that is served as it is.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go http.Serve(listener, http.StripPrefix("/static/", http.FileServer(http.Dir("static"))))
	port := listener.Addr().(*net.TCPAddr).Port
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/static/site.css", port))
	check(err)
	if answer.StatusCode != http.StatusOK {
		check(fmt.Errorf("the answer is %s", answer.Status))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
