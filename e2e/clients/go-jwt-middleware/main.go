// Command go-jwt-middleware is an API that verifies access tokens with Auth0's middleware, as its page shows.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v2"
	"github.com/auth0/go-jwt-middleware/v2/jwks"
	"github.com/auth0/go-jwt-middleware/v2/validator"
)

func main() {
	issuer, err := url.Parse(os.Getenv("ISSUER"))
	if err != nil {
		log.Fatal(err)
	}
	provider := jwks.NewCachingProvider(issuer, 5*time.Minute)
	jwtValidator, err := validator.New(provider.KeyFunc, validator.RS256, issuer.String(), []string{os.Getenv("AUDIENCE")})
	if err != nil {
		log.Fatal(err)
	}
	middleware := jwtmiddleware.New(jwtValidator.ValidateToken)

	http.Handle("/orders", middleware.CheckJWT(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims := r.Context().Value(jwtmiddleware.ContextKey{}).(*validator.ValidatedClaims)
		_ = json.NewEncoder(w).Encode(map[string]string{"user": claims.RegisteredClaims.Subject})
	})))
	log.Fatal(http.ListenAndServe("localhost:"+os.Getenv("PORT"), nil))
}
