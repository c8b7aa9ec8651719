module example.com/tmp-default

go 1.24
