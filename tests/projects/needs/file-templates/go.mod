module example.com/file-templates

go 1.24
