module example.com/zone-literal

go 1.24
