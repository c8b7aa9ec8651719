module example.com/fx-new

go 1.24

require go.uber.org/fx v1.18.2

require (
	go.uber.org/atomic v1.6.0 // indirect
	go.uber.org/dig v1.18.1 // indirect
	go.uber.org/multierr v1.5.0 // indirect
	go.uber.org/zap v1.16.0 // indirect
	golang.org/x/sys v0.0.0-20210903071746-97244b99971b // indirect
)
