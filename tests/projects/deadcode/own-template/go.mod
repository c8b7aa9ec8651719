module example.com/own-template

go 1.24
