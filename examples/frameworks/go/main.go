// Command hello answers GET /hello?name=X and GET /healthz with JSON.
package main

import (
	"cmp"
	"encoding/json"
	"log"
	"net/http"
	"os"
)

type greeting struct {
	Message string `json:"message"`
}

type health struct {
	Status string `json:"status"`
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		name := cmp.Or(r.URL.Query().Get("name"), "world")
		answer(w, greeting{Message: "Hello, " + name + "!"})
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, health{Status: "up"})
	})
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), mux))
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}
