package main

import (
	"fmt"

	"example.com/sniff/capture"
)

func main() { fmt.Println(capture.Names()) }
