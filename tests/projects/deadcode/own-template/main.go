// A server whose own page is a template.
package main

import (
	"encoding/json"
	"html/template"
	"log"
	"net/http"
)

var page = template.Must(template.New("page").Parse("<h1>{{.Title}}</h1>"))

type shop struct{ Title string }

func (s shop) show(w http.ResponseWriter, _ *http.Request) {
	if err := page.Execute(w, s); err != nil {
		log.Print(err)
	}
}

func (s shop) answer(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(s)
}

func main() {
	one := shop{Title: "Shop"}
	http.HandleFunc("/", one.show)
	http.HandleFunc("/api", one.answer)
	log.Fatal(http.ListenAndServe(":8080", nil))
}
