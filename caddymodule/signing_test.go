package caddymodule

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// P6, S19: one algorithm for the ID tokens of all clients is warned of, and RS256 is among
// those that have a key and are announced all the same.
func TestSigningAlgorithms(t *testing.T) {
	es256 := &Signing{IDTokenAlgorithm: "ES256"}
	for _, tt := range []struct {
		name  string
		app   App
		want  []jose.Algorithm
		warns bool
	}{
		{"S19: by default", App{}, []jose.Algorithm{jose.RS256, jose.ES256}, false},
		{"P6: ES256 for all", App{Signing: es256}, []jose.Algorithm{jose.ES256, jose.RS256}, true},
		{"P6: ES256 for one client", App{Clients: []*Client{{IDTokenAlgorithm: "ES256"}}}, []jose.Algorithm{jose.RS256, jose.ES256}, false},
		{"P9: an API with Auth0's form", App{Signing: &Signing{AccessTokenAlgorithm: "EdDSA"}, APIs: []*API{{TokenProfile: "auth0"}}}, []jose.Algorithm{jose.RS256, jose.EdDSA}, false},
		{"P9: APIs with an algorithm", App{APIs: []*API{{TokenProfile: "auth0", SigningAlgorithm: "RS512"}, {SigningAlgorithm: "EdDSA"}}}, []jose.Algorithm{jose.RS256, jose.ES256, jose.RS512, jose.EdDSA}, false},
		{"S19: all there are", App{Signing: &Signing{AccessTokenAlgorithm: "EdDSA"}, Clients: []*Client{{IDTokenAlgorithm: "PS256"}}}, []jose.Algorithm{jose.RS256, jose.PS256, jose.EdDSA}, false},
	} {
		if got := tt.app.algorithms(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v", tt.name, got)
		}
		if w := tt.app.Signing.warning(); strings.Contains(w, "id_token_algorithm ES256 is for all clients") != tt.warns {
			t.Errorf("%s: %q", tt.name, w)
		}
	}
}
