package identity

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Whatever a claim holds, its header says just that, or the token is refused
// and no header is set: nothing is mangled, and nothing breaks out of a line.
func FuzzClaimsToHeaders(f *testing.F) {
	for _, value := range []string{
		`"bob"`, `"bob\r\nX-Admin: 1"`, `"bob\u0000"`, `"b\u00f6b"`, `" bob "`, `""`, `null`, `17`, `1e400`, `true`, `["a","b"]`, `["a,b"]`, `[[1]]`,
		`{"x":1}`, `"{env.SECRET}"`, `"\ud800"`, `["a",null]`, `-0.0`, `[]`,
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !json.Valid([]byte(value)) {
			return
		}
		claims, err := verify.ParseClaims([]byte(`{"iss":"https://auth.example.com/","sub":"local|bob","aud":"https://api.example.com","client_id":"spa","scope":"a",`+
			`"jti":"AAAAAAAAAAAAAAAAAAAAAA","exp":4000000000,"iat":1,"org":`+value+`}`), nil)
		if err != nil {
			return
		}
		headers, err := New([]Mapping{{Header: "X-User", Claim: "sub"}, {Header: "X-Org", Claim: "org"}})
		if err != nil {
			t.Fatal(err)
		}
		header := make(http.Header)
		err = headers.Set(header, claims)
		user, org := header["X-User"], header["X-Org"]
		if err != nil {
			if len(user)+len(org) != 0 {
				t.Fatalf("%s: refused, and the headers are %q and %q", value, user, org)
			}
			return
		}
		if len(user) != 1 || user[0] != "local|bob" || len(org) > 1 {
			t.Fatalf("%s: headers %q and %q", value, user, org)
		}
		if len(org) == 0 {
			return
		}
		for _, c := range []byte(org[0]) {
			if c < ' ' || c > '~' {
				t.Fatalf("%s: header %q", value, org[0])
			}
		}
		var text string
		if json.Unmarshal([]byte(value), &text) == nil && value[0] == '"' && org[0] != text {
			t.Errorf("%s: header %q", value, org[0])
		}
	})
}
