package identity

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// H5: an address that nobody has verified may be somebody else's, and names nobody.
func TestH5Addresses(t *testing.T) {
	headers, err := New([]Mapping{{Header: "X-Email", Claim: "email"}, {Header: "X-User", Claim: "sub"}})
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]string{
		``: "", `,"email_verified":false`: "", `,"email_verified":"true"`: "", `,"email_verified":null`: "", `,"email_verified":true`: "bob@example.com",
	} {
		claims, err := verify.ParseClaims([]byte(`{"iss":"https://auth.example.com/","sub":"local|bob","aud":"https://api.example.com","client_id":"spa",`+
			`"jti":"AAAAAAAAAAAAAAAAAAAAAA","exp":4000000000,"iat":1,"email":"bob@example.com"`+said+`}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		header := make(http.Header)
		if err := headers.Set(header, claims); err != nil || header.Get("X-Email") != want || header.Get("X-User") != "local|bob" {
			t.Errorf("%s: %v %v, want %q", said, header, err, want)
		}
	}
}
