module example.com/health-check

go 1.24
