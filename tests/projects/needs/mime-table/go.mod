module example.com/mime-table

go 1.24
