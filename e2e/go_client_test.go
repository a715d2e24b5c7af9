// Package e2e runs what people use to talk to Gatehouse against a real Caddy.
// Browsers and JavaScript SDKs are in test/; Go's own libraries are here.
package e2e

import (
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// TestGoClient is an installed Go program: go-oidc and x/oauth2, a loopback
// redirect on a port of the moment (RFC 8252 §7.3), PKCE and no secret.
func TestGoClient(t *testing.T) {
	g := startGateway(t)
	ctx := t.Context()
	provider, err := oidc.NewProvider(ctx, g.issuer)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan url.Values, 1)
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { answers <- r.URL.Query() }))
	t.Cleanup(callback.Close)
	config := &oauth2.Config{
		ClientID:    "cli",
		Endpoint:    provider.Endpoint(),
		RedirectURL: callback.URL + "/callback",
		Scopes:      []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess, "orders:read"},
	}

	verifier := oauth2.GenerateVerifier()
	g.login(t, config.AuthCodeURL("a state", oidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("audience", g.api)))
	answer := <-answers
	if answer.Get("state") != "a state" || answer.Get("iss") != g.issuer {
		t.Fatalf("the answer has state %q and iss %q", answer.Get("state"), answer.Get("iss"))
	}
	first, err := config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}

	raw, _ := first.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: "cli"}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if idToken.Subject != "local|alice" || idToken.Nonce != "a nonce" {
		t.Errorf("the ID token is of %q with nonce %q", idToken.Subject, idToken.Nonce)
	}
	person, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(first))
	if err != nil {
		t.Fatal(err)
	}
	if person.Subject != idToken.Subject || person.Email != "alice@example.com" {
		t.Errorf("userinfo is %+v", person)
	}
	g.callAPI(t, oauth2.StaticTokenSource(first), "local|alice")

	source := config.TokenSource(ctx, &oauth2.Token{RefreshToken: first.RefreshToken})
	second, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken {
		t.Error("the refresh did not rotate")
	}
	g.callAPI(t, source, "local|alice")

	_, err = config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || refused.ErrorCode != "invalid_grant" {
		t.Errorf("the second use of the code gave %v", err)
	}
}

// TestGoMachine is a Go program without users.
func TestGoMachine(t *testing.T) {
	g := startGateway(t)
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		config := clientcredentials.Config{
			ClientID: "machine", ClientSecret: machineSecret, TokenURL: g.issuer + "oauth/token", AuthStyle: style,
			Scopes: []string{"orders:read"}, EndpointParams: url.Values{"resource": {g.api}},
		}
		g.callAPI(t, config.TokenSource(t.Context()), "machine@clients")
	}
}

// callAPI asks the guarded API and checks whom it sees.
func (g *gateway) callAPI(t *testing.T, source oauth2.TokenSource, want string) {
	t.Helper()
	resp, err := oauth2.NewClient(t.Context(), source).Get(g.api + "orders")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var seen struct{ User string }
	if err := json.NewDecoder(resp.Body).Decode(&seen); err != nil {
		t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	if seen.User != want {
		t.Errorf("the API saw %q, want %q", seen.User, want)
	}
}

var (
	formAction  = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// login opens an authorization URL as a browser does, signs in and allows what is asked.
func (g *gateway) login(t *testing.T, authorizationURL string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: g.browser.Transport}
	at, page := get(t, browser, authorizationURL)
	for formAction.MatchString(page) {
		action, err := at.Parse(html.UnescapeString(formAction.FindStringSubmatch(page)[1]))
		if err != nil {
			t.Fatal(err)
		}
		fields := url.Values{"username": {"alice"}, "password": {"wonderland"}, "action": {"login"}}
		if strings.Contains(page, `value="allow"`) {
			fields.Set("action", "allow")
		}
		for _, f := range hiddenField.FindAllStringSubmatch(page, -1) {
			fields.Set(f[1], html.UnescapeString(f[2]))
		}
		at, page = post(t, browser, action, fields)
	}
}

// get returns where redirects led, and the page there.
func get(t *testing.T, c *http.Client, to string) (*url.URL, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, c, req)
}

func post(t *testing.T, c *http.Client, to *url.URL, fields url.Values) (*url.URL, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", to.Scheme+"://"+to.Host)
	return do(t, c, req)
}

func do(t *testing.T, c *http.Client, req *http.Request) (*url.URL, string) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answered %s", resp.Request.URL.Path, resp.Status)
	}
	return resp.Request.URL, string(body)
}
