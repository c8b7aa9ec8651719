module example.com/certificates-value

go 1.24
