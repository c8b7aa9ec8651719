// One program that behaves, or misbehaves, as its first argument says. The trial is tested with it.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

var modes = map[string]func(){
	"serve":       func() { serve(":8080", http.StatusOK) },
	"slow":        func() { time.Sleep(700 * time.Millisecond); serve(":8080", http.StatusOK) },
	"low-port":    func() { serve(":80", http.StatusOK) },
	"not-found":   func() { must(http.ListenAndServe(":8080", http.NotFoundHandler())) },
	"unhealthy":   func() { log.Print("db: dial tcp 10.0.0.9:5432: connect: connection refused"); serve(":8080", http.StatusServiceUnavailable) },
	"loopback6":   func() { serve("[::1]:8080", http.StatusOK) },
	"loopback4":   func() { serve("127.0.0.1:8080", http.StatusOK) },
	"stubborn":    func() { signal.Ignore(syscall.SIGTERM); serve(":8080", http.StatusOK) },
	"graceful":    graceful,
	"https":       serveTLS,
	"tcp":         serveTCP,
	"udp":         serveUDP,
	"daemon":      func() { start("serve", false) },
	"family":      func() { start("serve", true) },
	"crash":       func() { var m map[string]int; m["x"] = 1 },
	"exit-3":      func() { fmt.Fprintln(os.Stderr, "cannot go on"); os.Exit(3) },
	"never":       func() { time.Sleep(time.Hour) },
	"worker-db":   func() { reach("db:5432", true) },
	"needs-db":    func() { reach("db:5432", false) },
	"needs-zone":  func() { _, err := time.LoadLocation("Europe/Paris"); must(err) },
	"needs-roots": func() { _, err := http.Get("https://api.example.com/"); must(err) },
	"needs-shell": func() { must(exec.Command("sh", "-c", "true").Run()) },
	"needs-file":  func() { _, err := os.ReadFile("/etc/app/app.yaml"); must(err) },
	"needs-env":   func() { log.Fatal("environment variable DATABASE_URL is required") },
	"writes-root": func() { must(os.WriteFile("/data.db", []byte("x"), 0o600)) },
	"forbidden":   func() { _, err := os.ReadFile("/secret"); must(err) },
	"writes-tmp":  func() { must(os.WriteFile("/tmp/data", []byte("x"), 0o600)); serve(":8080", http.StatusOK) },
	"hog":         hog,
	"noisy":       noisy,
	"who":         who,
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "Usage: servers MODE")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "--version":
		fmt.Println("servers 1.0")
		return
	}
	mode, ok := modes[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "Usage: servers MODE")
		os.Exit(2)
	}
	mode()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func serve(address string, status int) {
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	must(http.ListenAndServe(address, nil))
}

func graceful() {
	server := &http.Server{Addr: ":8080"}
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	go func() {
		<-stopped
		time.Sleep(100 * time.Millisecond)
		server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		must(err)
	}
	time.Sleep(50 * time.Millisecond)
}

func serveTLS() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	server := &http.Server{Addr: ":8443", TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })}
	must(server.ListenAndServeTLS("", ""))
}

func serveTCP() {
	listener, err := net.Listen("tcp", ":6379")
	must(err)
	for {
		connection, err := listener.Accept()
		must(err)
		fmt.Fprint(connection, "-ERR unknown command\r\n")
		connection.Close()
	}
}

func serveUDP() {
	connection, err := net.ListenPacket("udp", ":5353")
	must(err)
	defer connection.Close()
	time.Sleep(time.Hour)
}

func start(mode string, wait bool) {
	command := exec.Command("/proc/self/exe", mode)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(command.Start())
	if wait {
		must(command.Wait())
	}
	time.Sleep(100 * time.Millisecond)
}

func reach(address string, forever bool) {
	for {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			connection.Close()
			return
		}
		if !forever {
			log.Fatal(err)
		}
		log.Print(err)
		time.Sleep(200 * time.Millisecond)
	}
}

func hog() {
	var kept [][]byte
	for {
		block := make([]byte, 8<<20)
		for place := range block {
			block[place] = 1
		}
		kept = append(kept, block)
		time.Sleep(2 * time.Millisecond)
		if len(kept) > 400 {
			time.Sleep(time.Hour)
		}
	}
}

func noisy() {
	go func() {
		line := strings.Repeat("x", 1023) + "\n"
		for {
			fmt.Print(line)
		}
	}()
	serve(":8080", http.StatusOK)
}

func who() {
	fmt.Println("uid", os.Getuid(), "gid", os.Getgid(), "pid", os.Getpid())
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "Cap") || strings.HasPrefix(line, "NoNewPrivs") || strings.HasPrefix(line, "Groups") {
			fmt.Println(line)
		}
	}
	for _, entry := range os.Environ() {
		fmt.Println("env", entry)
	}
	interfaces, _ := net.Interfaces()
	for _, one := range interfaces {
		fmt.Println("interface", one.Name)
	}
	fmt.Println("root", os.WriteFile("/x", nil, 0o600))
	fmt.Println("tmp", os.WriteFile("/tmp/x", nil, 0o600))
}
