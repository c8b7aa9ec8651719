// Package plain is used by main and by package store.
package plain

import "strings"

// Title returns words in capitals.
func Title(words string) string { return strings.ToUpper(words) }
