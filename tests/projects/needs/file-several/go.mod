module example.com/file-several

go 1.24
