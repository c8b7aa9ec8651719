module example.com/certificates-transport

go 1.24
