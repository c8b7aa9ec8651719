// The only client is the health check, which asks the program itself over plain http.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
)

func healthy(port int) error {
	address := fmt.Sprintf("http://127.0.0.1:%d/healthz", port)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go http.Serve(listener, http.NotFoundHandler())
	check(healthy(listener.Addr().(*net.TCPAddr).Port))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
