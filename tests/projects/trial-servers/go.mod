module example.com/trial-servers

go 1.22
