// Package table is imported by package store alone, and large.
package table

import (
	_ "embed"
	"strings"
)

// Row is embedded in a type that main names.
type Row struct{ Name string }

var text = strings.Repeat(words, 2)

// Fill uses the table in an init function.
func Fill(n int) { text = strings.Repeat(text, n) }

// Rows finds rows.
func Rows(name string) []Row {
	if strings.Contains(text, name) {
		return []Row{{Name: name}}
	}
	return nil
}

//go:embed words.txt
var words string
