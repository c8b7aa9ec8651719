module example.com/zone-constant

go 1.24
