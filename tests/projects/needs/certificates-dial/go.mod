module example.com/certificates-dial

go 1.24
