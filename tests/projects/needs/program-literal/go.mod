module example.com/program-literal

go 1.24
