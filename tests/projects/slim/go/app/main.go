// A shop that reads its templates and files from disk, with go-httpbin beside it.
package main

import (
	"crypto/x509"
	"encoding/json"
	"html/template"
	"log"
	"mime"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
)

type settings struct {
	Title  string `json:"title"`
	Listen string `json:"listen"`
	Share  string `json:"share"`
}

var instant = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func main() {
	data, err := os.ReadFile(os.Getenv("SHOP_CONFIG"))
	if err != nil {
		log.Fatal(err)
	}
	var shop settings
	if err := json.Unmarshal(data, &shop); err != nil {
		log.Fatal(err)
	}
	page := func(w http.ResponseWriter, status int, name string, values any) {
		found, err := template.ParseFiles(filepath.Join(shop.Share, "templates", "base.html"), filepath.Join(shop.Share, "templates", name+".html"))
		if err != nil {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_ = found.ExecuteTemplate(w, "base", values)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { page(w, 200, "home", shop) })
	routes.HandleFunc("GET /pages/{name}", func(w http.ResponseWriter, r *http.Request) {
		page(w, 200, filepath.Base(r.PathValue("name")), shop)
	})
	routes.Handle("GET /public/", http.StripPrefix("/public/", http.FileServer(http.Dir(filepath.Join(shop.Share, "public")))))
	routes.HandleFunc("GET /time/{zone...}", func(w http.ResponseWriter, r *http.Request) {
		zone, err := time.LoadLocation(r.PathValue("zone"))
		if err != nil {
			answer(w, 404, map[string]string{"error": err.Error()})
			return
		}
		answer(w, 200, map[string]string{"local": instant.In(zone).Format(time.RFC1123)})
	})
	routes.HandleFunc("GET /here", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, instant.Local().Format(time.RFC1123))
	})
	routes.HandleFunc("GET /user/{name}", func(w http.ResponseWriter, r *http.Request) {
		found, err := user.Lookup(r.PathValue("name"))
		if err != nil {
			answer(w, 404, map[string]string{"error": err.Error()})
			return
		}
		answer(w, 200, found)
	})
	routes.HandleFunc("GET /group/{name}", func(w http.ResponseWriter, r *http.Request) {
		found, err := user.LookupGroup(r.PathValue("name"))
		if err != nil {
			answer(w, 404, map[string]string{"error": err.Error()})
			return
		}
		answer(w, 200, found)
	})
	routes.HandleFunc("GET /host/{name}", func(w http.ResponseWriter, r *http.Request) {
		found, err := net.DefaultResolver.LookupHost(r.Context(), r.PathValue("name"))
		if err != nil {
			answer(w, 404, map[string]bool{"found": false})
			return
		}
		answer(w, 200, found[:1])
	})
	routes.HandleFunc("GET /service/{name}", func(w http.ResponseWriter, r *http.Request) {
		port, err := net.LookupPort("tcp", r.PathValue("name"))
		if err != nil {
			answer(w, 404, map[string]bool{"found": false})
			return
		}
		answer(w, 200, port)
	})
	routes.HandleFunc("GET /mime/{name}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, mime.TypeByExtension(filepath.Ext(r.PathValue("name"))))
	})
	routes.HandleFunc("GET /trust", func(w http.ResponseWriter, r *http.Request) {
		roots, err := x509.SystemCertPool()
		answer(w, 200, map[string]bool{"many": err == nil && len(roots.Subjects()) > 100}) //nolint:staticcheck
	})
	routes.HandleFunc("GET /sum/{to}", func(w http.ResponseWriter, r *http.Request) {
		to, err := strconv.Atoi(r.PathValue("to"))
		if err != nil {
			http.Error(w, "not a number", http.StatusBadRequest)
			return
		}
		answer(w, 200, to*(to+1)/2)
	})
	routes.HandleFunc("GET /temporary", func(w http.ResponseWriter, r *http.Request) {
		file, err := os.CreateTemp("", "shop")
		if err != nil {
			answer(w, 500, map[string]string{"error": err.Error()})
			return
		}
		defer os.Remove(file.Name())
		answer(w, 200, map[string]bool{"written": true})
	})
	routes.HandleFunc("GET /home", func(w http.ResponseWriter, r *http.Request) {
		folder, err := os.Getwd()
		answer(w, 200, map[string]any{"folder": folder, "found": err == nil})
	})
	routes.Handle("/bin/", httpbin.New(httpbin.WithPrefix("/bin"), httpbin.WithHostname("shop")))
	log.Printf("listening on %s", shop.Listen)
	log.Fatal(http.ListenAndServe(shop.Listen, routes))
}
