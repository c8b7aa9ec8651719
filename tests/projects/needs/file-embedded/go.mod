module example.com/file-embedded

go 1.24
