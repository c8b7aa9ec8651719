module example.com/certificates-interface

go 1.24
