module example.com/certificates-optional-roots

go 1.24
