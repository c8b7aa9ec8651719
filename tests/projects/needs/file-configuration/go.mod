module example.com/file-configuration

go 1.24
