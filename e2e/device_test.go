package e2e

import (
	"errors"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// TestGoDevice is a device with x/oauth2 that asks far too often: it is slowed
// down, and signed in when the person has agreed (RFC 8628).
func TestGoDevice(t *testing.T) {
	g := startGateway(t)
	provider, err := oidc.NewProvider(t.Context(), g.issuer)
	if err != nil {
		t.Fatal(err)
	}
	config := &oauth2.Config{ClientID: "cli", Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, oidc.ScopeOfflineAccess, "orders:read"}}
	device, err := config.DeviceAuth(t.Context(), oauth2.SetAuthURLParam("audience", g.api))
	if err != nil {
		t.Fatal(err)
	}
	if device.Interval != 5 || time.Until(device.Expiry) < 14*time.Minute {
		t.Errorf("the device got %+v", device)
	}
	device.Interval = 1
	type outcome struct {
		token *oauth2.Token
		err   error
	}
	answers := make(chan outcome, 1)
	go func() {
		token, err := config.DeviceAccessToken(t.Context(), device)
		answers <- outcome{token, err}
	}()
	time.Sleep(2500 * time.Millisecond) // it has asked twice, and waits for 6 s now
	g.letIn(t, device.VerificationURIComplete, "allow")
	answer := <-answers
	if answer.err != nil {
		t.Fatal(answer.err)
	}
	g.callAPI(t, oauth2.StaticTokenSource(answer.token), "local|alice")
	g.callAPI(t, config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: answer.token.RefreshToken}), "local|alice")

	denied, err := config.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	denied.Interval = 1
	g.letIn(t, denied.VerificationURIComplete, "cancel")
	_, err = config.DeviceAccessToken(t.Context(), denied)
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || refused.ErrorCode != "access_denied" {
		t.Errorf("a device that was denied got %v", err)
	}
}

// letIn opens a device's link as a browser does, signs in and presses a button.
func (g *gateway) letIn(t *testing.T, link, button string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	at, page := get(t, browser, link)
	for formAction.MatchString(page) {
		action, err := at.Parse(html.UnescapeString(formAction.FindStringSubmatch(page)[1]))
		if err != nil {
			t.Fatal(err)
		}
		fields := url.Values{"username": {"alice"}, "password": {"wonderland"}, "action": {"login"}}
		switch {
		case strings.Contains(page, `value="allow"`):
			fields.Set("action", button)
		case strings.Contains(page, `name="user_code"`):
			u, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			fields = url.Values{"user_code": u.Query()["user_code"], "action": {"continue"}}
		}
		for _, f := range hiddenField.FindAllStringSubmatch(page, -1) {
			fields.Set(f[1], html.UnescapeString(f[2]))
		}
		at, page = post(t, browser, action, fields)
	}
}

// TestNativeRedirects signs in by each kind of redirect URI that an installed
// program may have (RFC 8252 §7). What leads nowhere registered leads nowhere.
func TestNativeRedirects(t *testing.T) {
	g := startGateway(t)
	verifier := oauth2.GenerateVerifier()
	provider, err := oidc.NewProvider(t.Context(), g.issuer)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, redirect string
		ok             bool
	}{
		{"a port of the moment", "http://127.0.0.1:49152/callback", true},
		{"no port", "http://127.0.0.1/callback", true},
		{"a private scheme", "com.example.cli:/callback", true},
		{"a claimed https address", "https://cli.example.com/callback", true},
		{"the name of loopback", "http://localhost:49152/callback", false},
		{"the other loopback address", "http://[::1]:49152/callback", false},
		{"another path", "http://127.0.0.1:49152/other", false},
		{"another host in front", "http://127.0.0.1:49152@evil.example/callback", false},
		{"a port of the claimed address", "https://cli.example.com:8443/callback", false},
		{"another private scheme", "com.example.other:/callback", false},
		{"the private scheme with a host", "com.example.cli://evil.example/callback", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := &oauth2.Config{ClientID: "cli", Endpoint: provider.Endpoint(), RedirectURL: tt.redirect, Scopes: []string{oidc.ScopeOpenID, "orders:read"}}
			answer := g.answer(t, config.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("audience", g.api)))
			if !tt.ok {
				if answer != nil {
					t.Fatalf("it led to %s", answer)
				}
				return
			}
			if answer == nil || !strings.HasPrefix(answer.String(), tt.redirect+"?") || answer.Query().Get("state") != "a state" {
				t.Fatalf("the answer is %v", answer)
			}
			token, err := config.Exchange(t.Context(), answer.Query().Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			g.callAPI(t, oauth2.StaticTokenSource(token), "local|alice")
		})
	}
}

// answer signs in at an authorization URL and returns where the browser is
// sent then; nil when it stays on a page of the gateway's.
func (g *gateway) answer(t *testing.T, authorizationURL string) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(authorizationURL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	at, page := get(t, browser, authorizationURL)
	action, err := at.Parse(formAction.FindStringSubmatch(page)[1])
	if err != nil {
		t.Fatal(err)
	}
	fields := url.Values{"username": {"alice"}, "password": {"wonderland"}, "action": {"login"}}
	for _, f := range hiddenField.FindAllStringSubmatch(page, -1) {
		fields.Set(f[1], html.UnescapeString(f[2]))
	}
	if resp, err = browser.PostForm(action.String(), fields); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		t.Fatalf("status %d without a redirect", resp.StatusCode)
	}
	return to
}
