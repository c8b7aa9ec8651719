module example.com/file-static

go 1.24
