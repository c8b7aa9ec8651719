module example.com/mime-builtin

go 1.24
