module clients/hashicorp-cap

go 1.26.0

require github.com/hashicorp/cap v0.16.0 // indirect
