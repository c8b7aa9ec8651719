module example.com/client-not-called

go 1.24
