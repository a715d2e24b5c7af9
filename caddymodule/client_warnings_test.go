package caddymodule

import (
	"strings"
	"testing"
)

// A refresh_token block that can have no effect is most likely a forgotten allow_offline_access.
func TestRefreshTokenBlockWithoutEffect(t *testing.T) {
	off := false
	apis := []*API{{Identifier: "https://open.example.com", AllowOfflineAccess: true}, {Identifier: "https://closed.example.com"}}
	for _, tt := range []struct {
		name   string
		client Client
		warns  bool
	}{
		{"all its APIs are closed", Client{APIs: []string{"https://closed.example.com"}, RefreshToken: &RefreshToken{Cookie: true}}, true},
		{"one is open", Client{APIs: []string{"https://closed.example.com", "https://open.example.com"}, RefreshToken: &RefreshToken{Cookie: true}}, false},
		{"no block", Client{APIs: []string{"https://closed.example.com"}}, false},
		{"no API", Client{RefreshToken: &RefreshToken{}}, false},
		{"no API, not conformant", Client{OIDCConformant: &off, RefreshToken: &RefreshToken{}}, true},
	} {
		got := tt.client.warnings(apis)
		if (len(got) == 1 && strings.Contains(got[0], "allow_offline_access")) != tt.warns || len(got) > 1 {
			t.Errorf("%s: warnings %q", tt.name, got)
		}
	}
}

// AUZ-29: a session is for any software on the device where nobody is asked and any can claim
// the redirect URI.
func TestConsentNeverUnsafe(t *testing.T) {
	for _, tt := range []struct {
		consent, redirect string
		warns             bool
	}{
		{"never", "http://127.0.0.1/cb", true},
		{"never", "com.example.app:/cb", true},
		{"never", "https://app.example.com/cb", false},
		{"auto", "http://127.0.0.1/cb", false},
		{"always", "com.example.app:/cb", false},
		{"", "com.example.app:/cb", false},
	} {
		c := Client{Consent: tt.consent, RedirectURIs: []string{tt.redirect}}
		got := c.warnings(nil)
		if (len(got) == 1 && strings.Contains(got[0], "consent never")) != tt.warns || len(got) > 1 {
			t.Errorf("%s at %s: warnings %q", tt.consent, tt.redirect, got)
		}
	}
}
