package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"golang.org/x/crypto/bcrypt"
)

// siteCaddyfile is the configuration for benchSite. The plain route is one of the same
// server: `public` would still look at the request.
var siteCaddyfile = template.Must(template.New("site").Parse(`{
	admin localhost:{{.AdminPort}}
	auto_https off
	persist_config off
	log {
		level ERROR
	}
	oauth {
		issuer {{.Issuer}}
		secret {{.Secret}}
		store bolt {{.Store}}
		login local {
			users_file {{.UsersFile}}
		}
	}
}

http://localhost:{{.AuthPort}} {
	oauth_server
}

http://127.0.0.1:{{.RoutePort}} {
	@site path /guarded /.gatehouse/*
	require_login @site {
		origin http://127.0.0.1:{{.RoutePort}}
		header X-User-Id sub
	}
	respond "hello"
}
`))

// benchSite measures a page behind require_login, with sessions that the gateway knows,
// beside a page of the same server that no guard looks at.
func benchSite(ctx context.Context, o options) error {
	s, err := newSetup(o, "site", "ES256")
	if err != nil {
		return err
	}
	s.File = siteCaddyfile
	if s.UsersFile, err = loginUsers(s.Store + ".htpasswd"); err != nil {
		return err
	}
	srv, err := start(ctx, o, s)
	if err != nil {
		return err
	}
	cookies := make([]string, loginPeople)
	for i := range cookies {
		if cookies[i], err = srv.signInAtSite(ctx, personName(bcrypt.MinCost, i)); err != nil {
			return errors.Join(err, srv.stop())
		}
	}
	var loads []load
	for _, n := range []int{1, len(cookies)} {
		file := filepath.Join(o.dir, fmt.Sprintf("sessions-%d", n))
		if err := os.WriteFile(file, []byte(strings.Join(cookies[:n], "\n")+"\n"), 0o600); err != nil {
			return err
		}
		loads = append(loads, load{name: fmt.Sprintf("sessions: %d", n), tokens: file, header: "Cookie", warm: true})
	}
	samples := make(map[string][]pair)
	for range o.rounds {
		for _, l := range loads {
			p, err := srv.measurePair(ctx, o, l)
			if err != nil {
				return errors.Join(err, srv.stop())
			}
			samples[l.name] = append(samples[l.name], p)
		}
	}
	printRoute("A page behind require_login", loads, samples)
	return srv.stop()
}

// signInAtSite does what the browser of a person does who opens the page, and returns
// the site's cookie.
func (s *server) signInAtSite(ctx context.Context, name string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Jar: jar, Transport: transport}
	page, err := navigate(ctx, client, http.MethodGet, s.base+"/.gatehouse/login?to=/guarded", nil)
	if err != nil {
		return "", err
	}
	ticket := ticketField.FindStringSubmatch(page)
	if ticket == nil {
		return "", errors.New("signing in at the site: there is no login page")
	}
	if _, err := navigate(ctx, client, http.MethodPost, s.auth+"login", url.Values{
		"request": {ticket[1]}, "login": {"local"}, "username": {name}, "password": {loginPassword}, "action": {"login"},
	}); err != nil {
		return "", err
	}
	at, err := url.Parse(s.base)
	if err != nil {
		return "", err
	}
	for _, c := range jar.Cookies(at) {
		if strings.HasPrefix(c.Name, "gatehouse_site_") {
			return c.Name + "=" + c.Value, nil
		}
	}
	return "", errors.New("signing in at the site: it has set no cookie")
}

// navigate opens a page as a browser does, by all redirects, and returns it.
func navigate(ctx context.Context, client *http.Client, method, target string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "text/html")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}
