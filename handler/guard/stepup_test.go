package guard

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// RFC 9470: a login that is too weak or too long ago.
func TestStepUp(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	login := func(ago time.Duration) string { return fmt.Sprintf(`"auth_time":%d`, now.Add(-ago).Unix()) }
	strong := func(c *Config) { c.StepUp.ACR = []string{"phr", "urn:mfa"} }
	recent := func(c *Config) { c.StepUp.MaxAge = 5 * time.Minute }
	both := func(c *Config) { strong(c); recent(c) }
	const (
		wantsACR = `, acr_values="phr urn:mfa"`
		wantsAge = `, max_age="300"`
	)
	for _, tc := range []struct {
		name, claims string
		change       func(*Config)
		want         string // parameters of the challenge
	}{
		{"no rule", "{}", func(*Config) {}, ""},
		{"strong", `{"acr":"urn:mfa"}`, strong, ""},
		{"weak", `{"acr":"pwd"}`, strong, wantsACR},
		{"no acr", `{}`, strong, wantsACR},
		{"another case", `{"acr":"PHR"}`, strong, wantsACR},
		{"recent", "{" + login(4*time.Minute) + "}", recent, ""},
		{"within the leeway", "{" + login(5*time.Minute+10*time.Second) + "}", recent, ""},
		{"long ago", "{" + login(5*time.Minute+11*time.Second) + "}", recent, wantsAge},
		{"at no time", `{}`, recent, wantsAge},
		{"strong and long ago", `{"acr":"phr",` + login(time.Hour) + "}", both, wantsACR + wantsAge},
		{"strong and recent", `{"acr":"phr",` + login(0) + "}", both, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newTestGuard(t, checker{"token": claimsOf(t, tc.claims)}, func(c *Config) { c.StepUp.Clock = func() time.Time { return now } }, tc.change)
			res, seen := guarded(t, g, request(t, http.MethodGet, "/", "Authorization", "Bearer token"), nil)
			if tc.want == "" {
				if res.StatusCode != http.StatusOK {
					t.Errorf("%d %v", res.StatusCode, res.Header)
				}
				return
			}
			challenge := res.Header.Get("WWW-Authenticate")
			want := `Bearer realm="https://api.example.com", error="insufficient_user_authentication", error_description="A stronger or more recent login is needed."` + tc.want + metadataParameter
			if res.StatusCode != http.StatusUnauthorized || challenge != want || seen != nil {
				t.Errorf("%d %s\nwant %s", res.StatusCode, challenge, want)
			}
		})
	}
}

// A token that lacks a scope is told so first: a stronger login would not fix that.
func TestStepUpIsLast(t *testing.T) {
	g := newTestGuard(t, nil, func(c *Config) { c.StepUp.ACR, c.Scopes = []string{"phr"}, []string{"admin"} })
	res, _ := guarded(t, g, request(t, http.MethodGet, "/", "Authorization", "Bearer good"), nil)
	if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != http.StatusForbidden || !strings.Contains(got, "insufficient_scope") {
		t.Errorf("%d %s", res.StatusCode, got)
	}
}
