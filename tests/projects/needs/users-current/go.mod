module example.com/users-current

go 1.24
