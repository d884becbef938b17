module example.com/go-good

go 1.22
