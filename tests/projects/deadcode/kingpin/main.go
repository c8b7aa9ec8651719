// A command line with kingpin, which writes its help with text/template.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/alecthomas/kingpin/v2"
)

func answer(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]string{"path": r.URL.Path})
}

func main() {
	app := kingpin.New("shop", "Sell things.")
	address := app.Flag("listen", "Where to listen.").Default(":8080").String()
	kingpin.MustParse(app.Parse(os.Args[1:]))
	log.Fatal(http.ListenAndServe(*address, http.HandlerFunc(answer)))
}
