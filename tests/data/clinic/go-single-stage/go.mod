module example.com/go-single-stage

go 1.22
