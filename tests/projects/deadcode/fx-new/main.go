// The same server with a release of dig that needs no template unless it draws its graph.
package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"

	"go.uber.org/fx"
)

func newServer(lifecycle fx.Lifecycle) *http.Server {
	server := &http.Server{Addr: ":8080", Handler: http.HandlerFunc(answer)}
	lifecycle.Append(fx.Hook{
		OnStart: func(context.Context) error {
			listener, err := net.Listen("tcp", server.Addr)
			if err == nil {
				go server.Serve(listener)
			}
			return err
		},
		OnStop: server.Shutdown,
	})
	return server
}

func answer(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]string{"path": r.URL.Path})
}

func main() {
	fx.New(fx.Provide(newServer), fx.Invoke(func(*http.Server) {})).Run()
}
