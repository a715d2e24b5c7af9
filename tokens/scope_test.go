package tokens

import (
	"slices"
	"testing"
)

func TestParseScope(t *testing.T) {
	tests := []struct {
		name, scope string
		want        []string
		ok          bool
	}{
		{"empty", "", nil, true},
		{"one", "read", []string{"read"}, true},
		{"order kept", "b a", []string{"b", "a"}, true},
		{"repeated", "a b a", []string{"a", "b"}, true},
		{"case differs", "a A", []string{"a", "A"}, true},
		// S8: what clients send is read as a list.
		{"two spaces", "a  b", []string{"a", "b"}, true},
		{"leading space", " a", []string{"a"}, true},
		{"trailing space", "openid profile ", []string{"openid", "profile"}, true},
		{"tab", "a\tb", []string{"a", "b"}, true},
		{"lines", "\r\na\r\nb\n", []string{"a", "b"}, true},
		{"white space alone", " \t ", nil, true},
		{"no-break space", "a\u00a0b", nil, false},
		{"next line", "a\u0085b", nil, false},
		{"NUL", "a\x00b", nil, false},
		{"quote", `a"b`, nil, false},
		{"backslash", `a\b`, nil, false},
		{"non-ASCII", "é", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseScope(tt.scope)
			if ok != tt.ok || !slices.Equal(got, tt.want) {
				t.Errorf("ParseScope(%q) = %q, %v; want %q, %v", tt.scope, got, ok, tt.want, tt.ok)
			}
		})
	}
}

// TestPKCE uses the example of RFC 7636 Appendix B.
func TestPKCE(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if !validVerifier(verifier) || !validChallenge(challenge) || !verifies(verifier, challenge) {
		t.Error("the RFC's example is refused")
	}
	if verifies(challenge, challenge) {
		t.Error("the challenge verifies itself")
	}
	for _, bad := range []string{"", verifier[:42], verifier + "=", verifier[:42] + "!", string(make([]byte, 129))} {
		if validVerifier(bad) {
			t.Errorf("verifier %q is taken", bad)
		}
	}
	for _, bad := range []string{"", challenge[:42], challenge + "=", challenge[:42] + ".", challenge + "AA"} {
		if validChallenge(bad) {
			t.Errorf("challenge %q is taken", bad)
		}
	}
}
