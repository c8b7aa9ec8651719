module example.com/plain-server

go 1.24
