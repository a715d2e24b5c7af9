package identity

import "testing"

// G4: what upstreams read as it stands, for those that decode nothing.
func TestEncodings(t *testing.T) {
	for _, tt := range []struct{ text, percent, raw, latin1 string }{
		{"bob", "bob", "bob", "bob"},
		{"José", "Jos%C3%A9", "José", "Jos\xe9"},
		{"李雷", "%E6%9D%8E%E9%9B%B7", "李雷", "%E6%9D%8E%E9%9B%B7"},
		{"100%", "100%25", "100%", "100%"},
		{" é ", "%20%C3%A9%20", "%20é%20", "%20\xe9%20"},
		{"a\r\n\x00\u0085\u202eb", "a%0D%0A%00%C2%85%E2%80%AEb", "a%0D%0A%00%C2%85%E2%80%AEb", "a%0D%0A%00%C2%85%E2%80%AEb"},
		{"a\u00a0\u00adb", "a%C2%A0%C2%ADb", "a%C2%A0%C2%ADb", "a%C2%A0%C2%ADb"},
		{"", "", "", ""},
	} {
		for encoding, want := range map[Encoding]string{"": tt.percent, Percent: tt.percent, Raw: tt.raw, Latin1: tt.latin1} {
			if got := encoding.text(tt.text); got != want {
				t.Errorf("%q as %q: %q, want %q", tt.text, encoding, got, want)
			}
		}
	}
	for _, mapping := range []Mapping{
		{Header: "X-User", Claim: "name", Encoding: "utf8"},
		{Header: "X-User", Claim: "sub", Encoding: Raw}, // two people could have one name
	} {
		if _, err := New([]Mapping{mapping}); err == nil {
			t.Errorf("%+v is taken", mapping)
		}
	}
}
