package verify

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// FuzzForeignClaims reads payloads in both ways: they never panic, never differ
// on what both understand, and another issuer's token is never ours.
func FuzzForeignClaims(f *testing.F) {
	for _, seed := range []string{
		`{"iss":"a","sub":"b","aud":"c","exp":1,"iat":1,"client_id":"d","jti":"e","scope":"f g"}`,
		`{"iss":"a","sub":"b","aud":["c","d"],"exp":1.5,"iat":1e3,"azp":"d","scp":["f"],"cnf":{"jkt":"x"},"acr":"1","auth_time":3}`,
		`{"iss":"a","realm_access":{"roles":["x",{"y":[1,null,true]}]},"gh_fam":"AAAAAAAAAAAAAAAAAAAAAA"}`,
		`{"iss":"a","iss":"b"}`, `{"sub":null}`, `[]`, ``, `{"a":` + `[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]` + `}`,
	} {
		f.Add([]byte(seed))
	}
	foreign := NewForeign(ForeignConfig{Issuer: "a", ScopeClaims: []string{"scope", "scp", "realm_access.roles"}, Claims: []string{"email"}})
	f.Fuzz(func(t *testing.T, payload []byte) {
		issuer, err := issuerOf(payload, jose.MaxJSONMembers)
		if err != nil {
			if _, err := parseClaims(payload); err == nil {
				t.Error("only issuerOf refuses it")
			}
			return
		}
		c, err := foreign.readClaims(payload, true)
		if err != nil {
			return
		}
		if c.Issuer != issuer {
			t.Errorf("the issuer is %q and %q", issuer, c.Issuer)
		}
		if c.HasFamily || c.HasTokenID || c.User == storage.TagSubject(c.Subject) {
			t.Error("it looks like ours")
		}
		own, err := parseClaims(payload)
		if err != nil {
			return
		}
		if own.Issuer != c.Issuer || own.Subject != c.Subject || !own.Expiry.Equal(c.Expiry) || !own.IssuedAt.Equal(c.IssuedAt) ||
			!own.NotBefore.Equal(c.NotBefore) || !sameConfirmation(own.Confirmation, c.Confirmation) || len(own.Audience) != len(c.Audience) {
			t.Errorf("read as %+v and %+v", own, c)
		}
	})
}

func sameConfirmation(a, b *jose.Confirmation) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
