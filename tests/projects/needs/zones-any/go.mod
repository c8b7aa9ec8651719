module example.com/zones-any

go 1.24
