package verify

import (
	"slices"
	"testing"
)

// G3: a group called "Everyone except admin" was the scope admin. An element of a
// list is one word, and a name with a space in it is no scope at all.
func TestForeignScopeWords(t *testing.T) {
	b := newForeignBench(t)
	for _, tt := range []struct {
		name   string
		from   []string // scope_claim
		claims map[string]any
		want   []string
	}{
		{"G3: a list of groups", []string{"groups"}, map[string]any{"groups": []string{"Everyone except admin", "staff"}}, []string{"staff"}},
		{"G3: one group as a text", []string{"groups"}, map[string]any{"groups": "Everyone except admin"}, nil},
		{"G3: one role as a text", []string{"realm_access.roles"}, map[string]any{"realm_access": map[string]any{"roles": "not admin"}}, nil},
		{"G3: a claim with a URL for a name", []string{"https://x.example/roles"}, map[string]any{"https://x.example/roles": "not admin"}, nil},
		{"one group as a text, without a space", []string{"groups"}, map[string]any{"groups": "admin"}, []string{"admin"}},
		{"G3: scp as a list", nil, map[string]any{"scope": nil, "scp": []string{"openid admin", "orders:read"}}, []string{"orders:read"}},
		{"G3: scope as a list", []string{"scope"}, map[string]any{"scope": []string{"openid admin", "orders:read"}}, []string{"orders:read"}},
		{"G3: permissions as a list", []string{"permissions"}, map[string]any{"permissions": []string{"no admin", "orders:read"}}, []string{"orders:read"}},
		{"other signs that no scope has", []string{"groups"}, map[string]any{"groups": []string{"a\tadmin", "a\"b", "a\\b", "Zoë", "", "ok"}}, []string{"ok"}},
		{"scp as a text", nil, map[string]any{"scope": nil, "scp": "openid orders:read"}, []string{"openid", "orders:read"}},
		{"permissions as a text", []string{"permissions"}, map[string]any{"permissions": "orders:read admin"}, []string{"orders:read", "admin"}},
		{"two claims", []string{"scp", "roles"}, map[string]any{"scp": "a b", "roles": []string{"c", "d e"}}, []string{"a", "b", "c"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			route := b.route(b.configA(func(c *ForeignConfig) { c.ScopeClaims = tt.from }))
			c, err := route.Verify(b.a.mint(nil, tt.claims))
			if err != nil || !slices.Equal(c.Scope, tt.want) {
				t.Fatalf("scope %q, %v, want %q", c.Scope, err, tt.want)
			}
		})
	}
}
