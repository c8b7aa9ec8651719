module example.com/program-self

go 1.24
