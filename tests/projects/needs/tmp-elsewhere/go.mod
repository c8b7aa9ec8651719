module example.com/tmp-elsewhere

go 1.24
