// A database that is a file in /tmp, opened by a driver that is only told its name.
package main

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
)

type files struct{}

func (files) Open(name string) (driver.Conn, error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return nil, errors.Join(file.Close(), driver.ErrSkip)
}

func main() {
	sql.Register("files", files{})
	database, err := sql.Open("files", "/tmp/app.db")
	check(err)
	if err := database.Ping(); !errors.Is(err, driver.ErrSkip) {
		check(err)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
