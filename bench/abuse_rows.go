package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// abuseRow is something that bob does.
type abuseRow struct {
	name    string
	rate    int // requests a second; 0 for the flag's
	workers int
	begin   func(ctx context.Context, site *abuseSiteOf) (attack, error)
	halfway func(ctx context.Context, site *abuseSiteOf) error // what an operator does meanwhile; may be nil
}

// codesBefore is how many codes bob asks for before the row "A1 codes" is measured.
const codesBefore = 10_000

var familyInPage = regexp.MustCompile(`name="end" value="([^"]+)"`)

var abuseRows = []abuseRow{
	{name: "A1 codes with a nonce of 60 kB", begin: bobAsksForCodes(strings.Repeat("n", 60_000), 0)},
	{name: "A1 codes, 10,000 before", begin: bobAsksForCodes("n", codesBefore)},
	{name: "A2 sign in, sign out everywhere", workers: 8, begin: bobSignsOut},
	{name: "A2 the same, and an operator ends the client", workers: 8, begin: bobSignsOut, halfway: endClient},
	{name: "A3 sessions on 12 connections", workers: 12, begin: bobSignsIn},
	{name: "A5 garbage is introspected", begin: garbageIsIntrospected},
	{name: "A7 one dead token is revoked", begin: deadTokenIsRevoked},
	{name: "A7 one old ID token signs out", begin: oldHintSignsOut},
	{name: "A7 one application is signed out", begin: oneIsSignedOut},
	{name: "A8 wrong passwords for alice", rate: 2, begin: wrongPasswords},
	{name: "H2 200 people at a provider that takes 5 s", rate: crowd, workers: crowd, begin: crowdSignsIn},
}

func newBob(ctx context.Context, site *abuseSiteOf) (*person, error) {
	return newPerson(ctx, site, "bob", bobPassword, "203.0.113.66")
}

// bobAsksForCodes asks for codes without a question, as an app does in a frame.
func bobAsksForCodes(nonce string, before int) func(context.Context, *abuseSiteOf) (attack, error) {
	return func(ctx context.Context, site *abuseSiteOf) (attack, error) {
		bob, err := newBob(ctx, site)
		if err != nil {
			return nil, err
		}
		question := bob.authorizeParams(url.Values{"prompt": {"none"}, "nonce": {nonce}})
		ask := func(ctx context.Context, client *http.Client, _ int) (int, error) { // by POST: Caddy itself refuses such a URL
			status, _, _, err := send(ctx, withCookies(client, bob), http.MethodPost, site.auth+"authorize", question, bob.from, "Origin", strings.TrimSuffix(site.auth, "/"))
			return status, err
		}
		_, err = each(before, 8, func() (string, error) {
			_, err := ask(ctx, bob.browser, 0)
			return "", err
		})
		return ask, err
	}
}

// withCookies lends a client the cookies of a person's browser.
func withCookies(client *http.Client, p *person) *http.Client {
	c := *client
	c.Jar = p.browser.Jar
	return &c
}

// ownBrowser is a browser without cookies, over the connection of a client.
func ownBrowser(client *http.Client) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	c := *client
	c.Jar = jar
	return &c, err
}

// statusOfError is the status of a refusal.
func statusOfError(err error) (int, error) {
	if err == nil {
		return http.StatusOK, nil
	}
	if refused := new(refusal); errors.As(err, &refused) {
		return refused.status, nil
	}
	return 0, err
}

// bobSignsIn begins sessions without end, with the right password.
func bobSignsIn(ctx context.Context, site *abuseSiteOf) (attack, error) {
	bob, err := newBob(ctx, site)
	return func(ctx context.Context, client *http.Client, _ int) (int, error) {
		browser, err := ownBrowser(client)
		if err != nil {
			return 0, err
		}
		_, err = bob.code(ctx, browser)
		return statusOfError(err)
	}, err
}

// bobSignsOut signs in, and then out everywhere, again and again.
func bobSignsOut(ctx context.Context, site *abuseSiteOf) (attack, error) {
	bob, err := newBob(ctx, site)
	return func(ctx context.Context, client *http.Client, _ int) (int, error) {
		browser, err := ownBrowser(client)
		if err != nil {
			return 0, err
		}
		if _, err := bob.code(ctx, browser); err != nil {
			return statusOfError(err)
		}
		return bob.postAccount(ctx, browser, url.Values{"action": {"everywhere"}})
	}, err
}

// postAccount posts the form of the account page.
func (p *person) postAccount(ctx context.Context, browser *http.Client, form url.Values) (int, error) {
	status, _, page, err := send(ctx, browser, http.MethodGet, p.site.auth+"account", nil, p.from)
	if err != nil {
		return 0, err
	}
	ticket := ticketInPage.FindStringSubmatch(page)
	if ticket == nil {
		return status, nil
	}
	form.Set("request", ticket[1])
	status, _, _, err = send(ctx, browser, http.MethodPost, p.site.auth+"account", form, p.from, "Origin", strings.TrimSuffix(p.site.auth, "/"))
	return status, err
}

// endClient is the operator's `caddy oauth clients end spa`: everybody signs in
// again, once.
func endClient(ctx context.Context, site *abuseSiteOf) error {
	status, _, body, err := send(ctx, http.DefaultClient, http.MethodPost, site.admin+"/oauth/clients/spa/end", nil, "")
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("ending the client: status %d, %s, %w", status, body, err)
	}
	return nil
}

// garbageIsIntrospected is what an honest resource server does with the tokens that bob sends it.
func garbageIsIntrospected(_ context.Context, site *abuseSiteOf) (attack, error) {
	return func(ctx context.Context, client *http.Client, n int) (int, error) {
		form := url.Values{"client_id": {"machine"}, "client_secret": {serverSecret}, "token": {fmt.Sprint("garbage", n)}}
		status, _, _, err := send(ctx, client, http.MethodPost, site.auth+"oauth/introspect", form, serverAddress)
		return status, err
	}, nil
}

// deadTokenIsRevoked sends one token that is dead already.
func deadTokenIsRevoked(ctx context.Context, site *abuseSiteOf) (attack, error) {
	bob, err := newBob(ctx, site)
	if err != nil {
		return nil, err
	}
	revoke := func(ctx context.Context, client *http.Client, _ int) (int, error) {
		form := url.Values{"client_id": {"spa"}, "token": {bob.refresh}}
		status, _, _, err := send(ctx, client, http.MethodPost, site.auth+"oauth/revoke", form, bob.from)
		return status, err
	}
	_, err = revoke(ctx, bob.app, 0)
	return revoke, err
}

// oldHintSignsOut sends one id_token_hint, without cookies.
func oldHintSignsOut(ctx context.Context, site *abuseSiteOf) (attack, error) {
	bob, err := newBob(ctx, site)
	if err != nil {
		return nil, err
	}
	res, err := bob.signIn(ctx, bob.browser)
	if err != nil {
		return nil, err
	}
	target := site.auth + "oidc/logout?" + url.Values{"id_token_hint": {res.IDToken}}.Encode()
	return func(ctx context.Context, client *http.Client, _ int) (int, error) {
		status, _, _, err := send(ctx, client, http.MethodGet, target, nil, bob.from)
		return status, err
	}, nil
}

// oneIsSignedOut sends the form of the account page that ends one login, again and again.
func oneIsSignedOut(ctx context.Context, site *abuseSiteOf) (attack, error) {
	bob, err := newBob(ctx, site)
	if err != nil {
		return nil, err
	}
	_, _, page, err := send(ctx, bob.browser, http.MethodGet, site.auth+"account", nil, bob.from)
	ticket, family := ticketInPage.FindStringSubmatch(page), familyInPage.FindStringSubmatch(page)
	if err != nil || ticket == nil || family == nil {
		return nil, fmt.Errorf("the account page lists no login: %w", err)
	}
	form := url.Values{"request": {ticket[1]}, "end": {family[1]}}
	return func(ctx context.Context, client *http.Client, _ int) (int, error) {
		status, _, _, err := send(ctx, withCookies(client, bob), http.MethodPost, site.auth+"account", form, bob.from, "Origin", strings.TrimSuffix(site.auth, "/"))
		return status, err
	}, nil
}

// wrongPasswords guesses alice's: 56 from 14 addresses at once, and then from a
// fresh address each time.
func wrongPasswords(ctx context.Context, site *abuseSiteOf) (attack, error) {
	guess := func(ctx context.Context, client *http.Client, from string) (int, error) {
		browser, err := ownBrowser(client)
		if err != nil {
			return 0, err
		}
		mallory := &person{site: site, name: "alice", password: "a guess", from: from}
		_, err = mallory.code(ctx, browser)
		return statusOfError(err)
	}
	client := &http.Client{CheckRedirect: noRedirects}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	n := 0
	_, err := each(56, 4, func() (string, error) {
		mu.Lock()
		n++
		from := fmt.Sprintf("192.0.2.%d", 100+n%14)
		mu.Unlock()
		_, err := guess(ctx, client, from)
		return "", err
	})
	return func(ctx context.Context, client *http.Client, n int) (int, error) {
		return guess(ctx, client, fmt.Sprintf("203.0.113.%d", n%250))
	}, err
}
