module example.test/shop

go 1.24

require github.com/mccutchen/go-httpbin/v2 v2.18.3
