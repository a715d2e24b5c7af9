package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// How often alice does what.
const (
	refreshEvery = 50 * time.Millisecond
	loginEvery   = 700 * time.Millisecond
	showEvery    = 500 * time.Millisecond
)

// person is somebody with a browser, a single-page app and an address.
type person struct {
	site           *abuseSiteOf
	name, password string
	from           string
	browser        *http.Client
	app            *http.Client

	mu      sync.Mutex
	refresh string // of the newest login
	access  string
}

// newPerson signs somebody in for the first time.
func newPerson(ctx context.Context, site *abuseSiteOf, name, password, from string) (*person, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	p := &person{
		site: site, name: name, password: password, from: from,
		browser: &http.Client{Jar: jar, CheckRedirect: noRedirects, Timeout: 30 * time.Second},
		app:     &http.Client{CheckRedirect: noRedirects, Timeout: 30 * time.Second},
	}
	if _, err := p.signIn(ctx, p.browser); err != nil {
		return nil, fmt.Errorf("signing %s in: %w", name, err)
	}
	return p, nil
}

var verifier = strings.Repeat("v", 43)

// authorizeParams is the request of the app.
func (p *person) authorizeParams(more url.Values) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {"spa"}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid offline_access read"}, "audience": {audience},
		"state": {"state"}, "nonce": {"nonce"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	maps.Copy(q, more)
	return q
}

var (
	ticketInPage = regexp.MustCompile(`name="request" value="([^"]+)"`)
	codeInText   = regexp.MustCompile(`[?&]code=([A-Za-z0-9._~%-]+)`)
)

// signedIn is what a login brought.
type signedIn struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
}

// signIn signs in at the page and redeems the code.
func (p *person) signIn(ctx context.Context, browser *http.Client) (*signedIn, error) {
	code, err := p.code(ctx, browser)
	if err != nil {
		return nil, err
	}
	status, _, body, err := send(ctx, p.app, http.MethodPost, p.site.auth+"oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"spa"}, "redirect_uri": {redirect}, "code": {code}, "code_verifier": {verifier},
	}, p.from)
	if err != nil {
		return nil, err
	}
	res := new(signedIn)
	if status != http.StatusOK || json.Unmarshal([]byte(body), res) != nil || res.RefreshToken == "" {
		return nil, &refusal{status, "code"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refresh, p.access = res.RefreshToken, res.AccessToken
	return res, nil
}

// code goes from the app to its callback, by the login page.
func (p *person) code(ctx context.Context, browser *http.Client) (string, error) {
	status, _, page, err := send(ctx, browser, http.MethodGet, p.site.auth+"authorize?"+p.authorizeParams(url.Values{"prompt": {"login"}}).Encode(), nil, p.from)
	if err != nil {
		return "", err
	}
	ticket := ticketInPage.FindStringSubmatch(page)
	if ticket == nil {
		return "", &refusal{status, "login page"}
	}
	form := url.Values{"request": {html.UnescapeString(ticket[1])}, "login": {"local"}, "username": {p.name}, "password": {p.password}, "action": {"login"}}
	status, header, page, err := send(ctx, browser, http.MethodPost, p.site.auth+"login", form, p.from, "Origin", strings.TrimSuffix(p.site.auth, "/"))
	for range 5 {
		if err != nil {
			return "", err
		}
		to := header.Get("Location")
		if found := codeInText.FindStringSubmatch(to + " " + html.UnescapeString(page)); found != nil {
			return url.QueryUnescape(found[1])
		}
		here, _ := url.Parse(p.site.auth)
		next, parseErr := here.Parse(to)
		if to == "" || parseErr != nil || next.Host != here.Host {
			break
		}
		status, header, page, err = send(ctx, browser, http.MethodGet, next.String(), nil, p.from)
	}
	return "", &refusal{status, "password"}
}

// rotate refreshes once, and uses the access token.
func (p *person) rotate(ctx context.Context) (took time.Duration, err error) {
	p.mu.Lock()
	token := p.refresh
	p.mu.Unlock()
	begun := time.Now()
	status, _, body, err := send(ctx, p.app, http.MethodPost, p.site.auth+"oauth/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {token},
	}, p.from)
	took = time.Since(begun)
	if err != nil {
		return took, err
	}
	res := new(signedIn)
	if status != http.StatusOK || json.Unmarshal([]byte(body), res) != nil {
		if strings.Contains(body, "invalid_grant") {
			return took, errEnded
		}
		return took, &refusal{status, "refresh"}
	}
	p.mu.Lock()
	if p.refresh == token { // else there was a login meanwhile
		p.refresh, p.access = res.RefreshToken, res.AccessToken
	}
	p.mu.Unlock()
	status, _, _, err = send(ctx, p.app, http.MethodGet, p.site.base+"/guarded", nil, p.from, "Authorization", "Bearer "+res.AccessToken)
	if err == nil && status != http.StatusOK {
		err = &refusal{status, "guarded route"}
	}
	return took, err
}

// shown is her access token at a resource server that introspects it.
func (p *person) shown(ctx context.Context) error {
	p.mu.Lock()
	token := p.access
	p.mu.Unlock()
	form := url.Values{"client_id": {"machine"}, "client_secret": {serverSecret}, "token": {token}}
	status, _, body, err := send(ctx, p.app, http.MethodPost, p.site.auth+"oauth/introspect", form, serverAddress)
	if err == nil && status != http.StatusOK {
		err = &refusal{status, "introspection"}
	}
	if err == nil && !strings.Contains(body, `"active":true`) {
		err = errors.New("introspection: not active")
	}
	return err
}

var errEnded = errors.New("login ended")

// lived is what somebody noticed.
type lived struct {
	refreshes, logins times
	refused           answers
	cpu               time.Duration // of the gateway
}

// share is how much of one processor the gateway took.
func (l *lived) share(o options) string {
	return fmt.Sprintf("%.0f %%", 100*l.cpu.Seconds()/(o.abuse.last.Seconds()*float64(o.abuse.rounds)))
}

// live refreshes and signs in while the load runs, and adds what was noticed.
func (p *person) live(ctx context.Context, o options, load *traffic, out *lived) {
	ctx, cancel := context.WithTimeout(ctx, o.abuse.last)
	defer cancel()
	before, err := p.site.cpu()
	out.refused.note(err)
	defer func() {
		after, err := p.site.cpu()
		out.refused.note(err)
		out.cpu += after - before
	}()
	var mu sync.Mutex
	var running sync.WaitGroup
	running.Go(func() { load.run(ctx) })
	every := func(d time.Duration, do func() (*times, time.Duration, error)) {
		for tick := time.NewTicker(d); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			to, took, err := do()
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				mu.Lock()
				*to = append(*to, took)
				mu.Unlock()
			}
			out.refused.note(err)
		}
	}
	running.Go(func() {
		every(refreshEvery, func() (*times, time.Duration, error) {
			took, err := p.rotate(ctx)
			if errors.Is(err, errEnded) {
				if _, again := p.signIn(ctx, p.browser); again != nil {
					err = fmt.Errorf("%w, and then %w", err, again)
				}
			}
			return &out.refreshes, took, err
		})
	})
	running.Go(func() {
		every(showEvery, func() (*times, time.Duration, error) { return new(times), 0, p.shown(ctx) })
	})
	running.Go(func() {
		every(loginEvery, func() (*times, time.Duration, error) {
			begun := time.Now()
			_, err := p.signIn(ctx, p.browser)
			return &out.logins, time.Since(begun), err
		})
	})
	running.Wait()
}
