// Package remote asks for things.
package remote

import "net/http"

var client = &http.Client{}

// Fetch asks an address.
func Fetch(address string) error {
	answer, err := client.Head(address)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
