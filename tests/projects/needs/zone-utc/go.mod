module example.com/zone-utc

go 1.24
