module example.com/certificates-sometimes

go 1.24
