module example.com/file-working-directory

go 1.24
