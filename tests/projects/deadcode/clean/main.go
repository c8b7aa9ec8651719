// A server of JSON: nothing here keeps methods that are not called.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"reflect"
)

type greeter struct{}

// Hello is found by a name that the compiler knows.
func (greeter) Hello() string { return "hello" }

func main() {
	answer := reflect.ValueOf(greeter{}).MethodByName("Hello").Call(nil)[0].String()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"path": r.URL.Path, "answer": answer})
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
