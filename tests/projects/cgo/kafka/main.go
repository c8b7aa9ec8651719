package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func main() {
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": "127.0.0.1:9", "socket.timeout.ms": 1000})
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close()
	go func() {
		for range producer.Events() {
		}
	}()
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, version := kafka.LibraryVersion()
		fmt.Fprintln(w, version, producer.Len())
	})
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
