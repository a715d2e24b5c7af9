package identity

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// G4: whatever a claim holds, its header says just that once it is decoded, and nothing
// breaks out of a line, in any encoding.
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
		headers, err := New([]Mapping{
			{Header: "X-User", Claim: "sub"},
			{Header: "X-Org", Claim: "org"},
			{Header: "X-Raw", Claim: "org", Encoding: Raw},
			{Header: "X-Latin", Claim: "org", Encoding: Latin1},
		})
		if err != nil {
			t.Fatal(err)
		}
		header := make(http.Header)
		if err := headers.Set(header, claims); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if user := header["X-User"]; len(user) != 1 || user[0] != "local|bob" {
			t.Fatalf("%s: header %q", value, user)
		}
		for _, name := range []string{"X-Org", "X-Raw", "X-Latin"} {
			for _, text := range header[name] {
				if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f || c > '~' && name == "X-Org" }) || strings.Trim(text, " \t") != text {
					t.Fatalf("%s: %s %q", value, name, text)
				}
			}
		}
		var text string
		if json.Unmarshal([]byte(value), &text) == nil && value[0] == '"' {
			if decoded, err := url.PathUnescape(header.Get("X-Org")); err != nil || decoded != text {
				t.Errorf("%s: header %q is read as %q", value, header.Get("X-Org"), decoded)
			}
		}
		var list []string
		if json.Unmarshal([]byte(value), &list) == nil && len(list) > 0 && !slices.Contains(list, "") && !strings.Contains(value, "null") {
			got := strings.Split(header.Get("X-Org"), ",")
			for i := range got {
				got[i], _ = url.PathUnescape(got[i])
			}
			if !slices.Equal(got, list) {
				t.Errorf("%s: header %q", value, header.Get("X-Org"))
			}
		}
	})
}
