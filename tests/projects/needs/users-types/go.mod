module example.com/users-types

go 1.24
