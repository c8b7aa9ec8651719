module example.com/certificates-proxy

go 1.24
