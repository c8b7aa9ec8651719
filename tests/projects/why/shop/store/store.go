// Package store has one of everything that makes a package hard to stub.
package store

import (
	"embed"
	_ "encoding/xml"
	"errors"
	"io"
	"regexp"
	. "strings"
	"sync"
	"text/template"
	"time"
	_ "unsafe"

	"example.com/shop/plain"
	"example.com/shop/store/internal/table"
)

// Size says how much there is of something.
type Size uint8

const (
	Small Size = iota + 1
	Large
	hidden = len(Table)
)

// Wait is a constant of another package's type.
const Wait = 5 * time.Millisecond

var (
	// ErrFull has no written type.
	ErrFull = errors.New("full")
	// Default needs a function and the variables below to be made.
	Default = open(pattern.NumSubexp())
	// Table has a constant length.
	Table = [...]string{"a", "b", plain.Title("c")}

	pattern            = regexp.MustCompile(`(a+)(b+)`)
	page, found        = lookUp()
	_           Keeper = (*disk)(nil)
	started     int64
)

//go:embed goods.txt
var Goods embed.FS

//go:embed goods.txt
var Help string

// Keeper has a method that only this package can write.
type Keeper interface {
	Keep(name string) error
	lock() *sync.Mutex
}

// Shelf is generic, in its methods as well.
type Shelf[T any] struct {
	size   Size
	things []T
	next   *Shelf[T]
}

// Box is embedded by others.
type Box struct{ Side int }

// Price embeds a type of this package.
type Price struct {
	Box
	table.Row
	cut template.FuncMap
}

type disk struct {
	sync.Mutex
	page *template.Template
	rows map[string][]table.Row
}

func init() {
	started = nanotime()
	table.Fill(hidden)
}

//go:linkname nanotime runtime.nanotime
func nanotime() int64

func open(int) *disk { return &disk{page: page, rows: map[string][]table.Row{}} }

func lookUp() (*template.Template, bool) {
	page, err := template.New("page").Parse("{{.Name}}")
	return page, err == nil
}

func (d *disk) Keep(name string) error {
	if !found || Contains(name, "..") {
		return ErrFull
	}
	d.rows[name] = table.Rows(name)
	return d.page.Execute(io.Discard, table.Row{Name: name})
}

func (d *disk) lock() *sync.Mutex { return &d.Mutex }

// Volume is promoted to Price.
func (b Box) Volume() int { return b.Side * b.Side * b.Side }

// NewShelf returns an empty shelf.
func NewShelf[T any](size Size) *Shelf[T] { return &Shelf[T]{size: size} }

// Put adds a thing.
func (s *Shelf[T]) Put(thing T) { s.things = append(s.things, thing) }

// Take returns the last thing.
func (s *Shelf[T]) Take() (thing T) {
	if len(s.things) > 0 {
		thing = s.things[len(s.things)-1]
	}
	return
}

// Find is named by main; Unnamed is not.
func Find(name string) []int { return pattern.FindStringIndex(name) }

// Unnamed would keep another package's type.
func Unnamed() *regexp.Regexp { return pattern }
