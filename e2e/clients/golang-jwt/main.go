// Command golang-jwt is an API that verifies access tokens with golang-jwt and keyfunc.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

func main() {
	k, err := keyfunc.NewDefaultCtx(context.Background(), []string{os.Getenv("ISSUER") + ".well-known/jwks.json"})
	if err != nil {
		log.Fatal(err)
	}
	parser := jwt.NewParser(jwt.WithIssuer(os.Getenv("ISSUER")), jwt.WithAudience(os.Getenv("AUDIENCE")), jwt.WithExpirationRequired())

	http.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		token, err := parser.Parse(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), k.Keyfunc)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		user, _ := token.Claims.GetSubject()
		_ = json.NewEncoder(w).Encode(map[string]string{"user": user})
	})
	log.Fatal(http.ListenAndServe("localhost:"+os.Getenv("PORT"), nil))
}
