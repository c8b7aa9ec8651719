module example.com/tmp-database

go 1.24
