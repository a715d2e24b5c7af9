package guard

import "testing"

func TestSameOrigin(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"https://app.example", "https://app.example:443", true},
		{"https://app.example", "http://app.example", false},
		{"null", "null", false},
		{"https://a%25zz", "https://a%25zz", false},
		{"", "", false},
	} {
		if got := sameOrigin(tt.a, tt.b); got != tt.want {
			t.Errorf("sameOrigin(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}
