module clients/go-jwt-middleware

go 1.26.0

require github.com/auth0/go-jwt-middleware/v2 v2.3.1 // indirect
