package adminapi

import "testing"

func TestSlipsBetween(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"my-spa", "my-spa", 0}, {"my-sap", "my-spa", 1}, {"myspa", "my-spa", 1}, {"my-spaa", "my-spa", 1}, {"mz-spa", "my-spa", 1}, {"ca", "abc", 3}, {"", "abc", 3}, {"abc", "", 3}} {
		if got := slipsBetween(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
