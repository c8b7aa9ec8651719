module example.com/certificates-get

go 1.24
