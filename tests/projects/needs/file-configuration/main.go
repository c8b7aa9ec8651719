// The path of the configuration goes through a function and has a default.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

func load(path string) (settings map[string]string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return settings, json.Unmarshal(data, &settings)
}

func main() {
	path := flag.String("config", "config/app.json", "where the settings are")
	flag.Parse()
	settings, err := load(*path)
	check(err)
	fmt.Println(settings["greeting"])
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
