// Command files uses every system file that proa can make, and says what it found.
package main

import (
	"crypto/x509"
	"fmt"
	"mime"
	"os"
	"os/user"
	"time"
)

func main() {
	// Two zones with one content: one of them is a hard link.
	for _, name := range []string{"Europe/Paris", "America/New_York", "US/Eastern"} {
		zone, err := time.LoadLocation(name)
		check(err)
		fmt.Println(name, time.Unix(0, 0).In(zone).Format("15:04"))
	}
	pool, err := x509.SystemCertPool()
	check(err)
	fmt.Println("certificates", !pool.Equal(x509.NewCertPool()))
	fmt.Println("epub", mime.TypeByExtension(".epub"))
	nobody, err := user.LookupId("65532")
	check(err)
	fmt.Println("user", nobody.Username, nobody.Gid)
	file, err := os.CreateTemp("", "x")
	check(err)
	fmt.Println("temporary", file.Name() != "")
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
