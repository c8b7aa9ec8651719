module example.com/unverified

go 1.24
