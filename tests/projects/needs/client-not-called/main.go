// There is a client, and code that would use it, which nothing calls; another is made and never asked.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

type server struct {
	client *http.Client
	routes *http.ServeMux
}

func (s server) fetch(address string) error {
	answer, err := s.client.Get(address)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

const fetches = false

func main() {
	s := server{client: &http.Client{Timeout: time.Second}, routes: http.NewServeMux()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	if fetches {
		check(s.fetch("https://go.dev"))
	}
	go http.Serve(listener, s.routes)
	fmt.Println(s.client.Timeout)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
