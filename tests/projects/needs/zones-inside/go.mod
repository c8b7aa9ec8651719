module example.com/zones-inside

go 1.24
