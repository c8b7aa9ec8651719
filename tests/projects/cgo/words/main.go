package main

/*
#include <stdlib.h>
#include "words.h"
#cgo LDFLAGS: -lm
*/
import "C"

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"unsafe"
)

func main() {
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		text := C.CString("the quick brown fox the lazy dog the end")
		defer C.free(unsafe.Pointer(text))
		if n := C.count_words(text); n != 7 {
			http.Error(w, fmt.Sprint(n), 500)
			return
		}
		fmt.Fprintln(w, "ok", C.GoString(C.caught()))
	})
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
