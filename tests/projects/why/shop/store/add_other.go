//go:build !amd64

package store

// Add is written in assembly on amd64 only.
func Add(a, b int) int { return a + b }
