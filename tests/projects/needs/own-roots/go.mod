module example.com/own-roots

go 1.24
