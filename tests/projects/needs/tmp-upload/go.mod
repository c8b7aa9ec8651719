module example.com/tmp-upload

go 1.24
