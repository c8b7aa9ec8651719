module proa.invalid/shell

go 1.24.0

require (
	github.com/u-root/u-root v0.15.0
	mvdan.cc/sh/v3 v3.12.0
)

require (
	github.com/dustin/go-humanize v1.0.1 // indirect
	golang.org/x/sys v0.33.0 // indirect
	golang.org/x/term v0.32.0 // indirect
)
