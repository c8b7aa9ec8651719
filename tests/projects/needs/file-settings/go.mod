module example.com/file-settings

go 1.24
