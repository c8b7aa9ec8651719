module example.com/file-partly-named

go 1.24
