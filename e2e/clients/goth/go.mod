module clients/goth

go 1.26.0

require (
	github.com/gorilla/securecookie v1.1.2 // indirect
	github.com/gorilla/sessions v1.4.0 // indirect
	github.com/markbates/goth v1.82.0 // indirect
	golang.org/x/oauth2 v0.27.0 // indirect
)
