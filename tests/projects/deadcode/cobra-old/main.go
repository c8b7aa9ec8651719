// A command line with a release of cobra that writes its help with text/template.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"
)

func serve(address string) error {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"path": r.URL.Path})
	})
	return http.ListenAndServe(address, nil)
}

func main() {
	root := &cobra.Command{Use: "shop", Short: "Sell things."}
	root.AddCommand(&cobra.Command{
		Use:  "serve",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return serve(args[0]) },
	})
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
