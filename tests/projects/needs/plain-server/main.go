// A server without any client: the standard library links the reading of roots and of the MIME table all the same.
package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.FormValue("x")) })
	go http.Serve(listener, nil)
	connection, err := net.Dial("tcp", listener.Addr().String())
	check(err)
	fmt.Fprint(connection, "GET /healthz HTTP/1.0\r\n\r\n")
	line, err := bufio.NewReader(connection).ReadString('\n')
	check(err)
	if line != "HTTP/1.0 200 OK\r\n" {
		check(fmt.Errorf("the answer is %q", line))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
