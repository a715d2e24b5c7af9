package oauth_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestPrintable: S2: what strangers send is bounded and cannot play tricks in a log.
func TestPrintable(t *testing.T) {
	tests := []struct{ name, sent, want string }{
		{"as it is", "com.MyCompany.App://cb", "com.MyCompany.App://cb"},
		{"line ends", "a\r\nlevel=error", "a??level=error"},
		{"escape codes", "\x1b[31mred", "?[31mred"},
		{"right to left", "https://\u202emoc.live", "https://?moc.live"},
		{"invalid bytes", "a\xff\xfeb", "a??b"},
		{"other scripts", "ünïcode ✓", "ünïcode ✓"},
		{"long", strings.Repeat("é", 1000), strings.Repeat("é", 128) + "…"},
		{"long and odd", "x" + strings.Repeat("é", 1000), "x" + strings.Repeat("é", 127) + "…"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := oauth.Printable(test.sent); got != test.want {
				t.Errorf("%q is shown as %q, want %q", test.sent, got, test.want)
			}
		})
	}
}

// TestPrintableURI: S2: the log names the address that came, and no secret in it.
func TestPrintableURI(t *testing.T) {
	tests := []struct{ sent, want string }{
		{"https://app.example.com/cb", "https://app.example.com/cb"},
		{"https://app.example.com/cb?code=SECRET&x", "https://app.example.com/cb?code=…&…"},
		{"https://app.example.com/cb#access_token=SECRET", "https://app.example.com/cb#access_token=…"},
		{"https://app.example.com/cb?SECRET", "https://app.example.com/cb?…"},
		{"https://user:SECRET@app.example.com/cb", "https://…@app.example.com/cb"},
		{"com.example.app:/cb?a=b?c=d", "com.example.app:/cb?a=…?c=…"},
		{"https://app.example.com?", "https://app.example.com?"},
		{"", ""},
		{"not a uri\n", "not a uri?"},
	}
	for _, test := range tests {
		if got := oauth.PrintableURI(test.sent); got != test.want {
			t.Errorf("%q is shown as %q, want %q", test.sent, got, test.want)
		}
	}
	if got := oauth.PrintableURI("https://x/?" + strings.Repeat("aaaaaa=b&", 10_000)); len(got) > 300 {
		t.Errorf("a long URI is shown in %d bytes", len(got))
	}
}
