package caddymodule

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

const (
	defaultSiteLifetime     = 12 * time.Hour
	defaultSiteIdleLifetime = time.Hour
	minSiteLifetime         = time.Minute
)

// life is how long sessions live.
func (l *RequireLogin) life() sites.Life {
	life := sites.Life{Absolute: cmp.Or(time.Duration(l.Lifetime), defaultSiteLifetime), Idle: defaultSiteIdleLifetime}
	if l.IdleLifetime != nil {
		life.Idle = time.Duration(*l.IdleLifetime)
	} else if life.Idle > life.Absolute {
		life.Idle = life.Absolute
	}
	return life
}

// mappings are the headers of the guard, those of its presets first.
func (l *RequireLogin) mappings() (all []identity.Mapping) {
	for _, preset := range l.Presets {
		all = append(all, site.Presets[preset]...)
	}
	for _, h := range l.Headers {
		all = append(all, identity.Mapping{Header: h.Header, Claim: h.Claim, Encoding: h.Encoding})
	}
	return all
}

// Check finds what the text of the configuration shows to be wrong.
func (l *RequireLogin) Check() error {
	return grammar.FirstOf(
		func() error { return checkEach("origin", l.Origins, checkWebOrigin) },
		func() error { return checkRule(l.For) },
		func() error { return checkEach("allow_origins", l.AllowOrigins, checkWebOrigin) },
		l.checkPublic,
		l.checkHeaders,
		l.checkUpstreamToken,
		l.checkLives,
		func() error {
			if slices.ContainsFunc(l.ACR, func(v string) bool { return v == "" || strings.ContainsAny(v, " \"\\") }) {
				return grammar.Wrong("acr", "one is empty or has a space or quote: write each way to log in for itself")
			}
			return nil
		},
		func() error { return oneOf("activity", l.Activity, "any", "people") },
		func() error { return oneOf("start", l.Start, "page", "redirect") },
		func() error { return oneOf("cache", l.Cache, "private", "keep") },
		func() error { return checkStreams(l.Streams) },
	)
}

// oneOf refuses a word that is none of those there are, and not left out.
func oneOf(option, word string, words ...string) error {
	if word == "" || slices.Contains(words, word) {
		return nil
	}
	return grammar.WrongValue(option, word, "is not known: write %s, or leave the line out for %s", strings.Join(words, " or "), words[0])
}

func (l *RequireLogin) checkPublic() error {
	for _, path := range l.Public {
		if !strings.HasPrefix(path, "/") {
			return grammar.WrongValue("public", path, "is not a path: it begins with a slash; or write assets")
		}
		if path == "/*" {
			return grammar.WrongValue("public", path, "leaves nothing to sign in for: leave require_login out, or give it a matcher")
		}
	}
	return nil
}

func (l *RequireLogin) checkHeaders() error {
	for _, preset := range l.Presets {
		if site.Presets[preset] == nil {
			return grammar.WrongValue("headers", preset, "is not known: write one of %s, or each header by `header <name> <claim>`",
				strings.Join(slices.Sorted(maps.Keys(site.Presets)), ", "))
		}
	}
	for _, h := range l.Headers {
		if err := h.check(); err != nil {
			return err
		}
	}
	seen := make(nameSet)
	for _, m := range l.mappings() {
		if before := len(seen); len(seen.with(m.Header)) == before {
			return grammar.WrongValue("header", m.Header, "is set twice: keep one of the lines")
		}
	}
	return nil
}

func (l *RequireLogin) checkUpstreamToken() error {
	t := l.UpstreamToken
	if t == nil {
		return nil
	}
	if t.API == "" {
		return grammar.Wrong("upstream_token", "name the identifier of an `api`: upstream_token https://api.example.com orders:read")
	}
	for _, scope := range t.Scopes {
		if !oauth.ValidScope(scope) {
			return grammar.WrongValue("upstream_token", scope, "is not a scope (RFC 6749 §3.3): write each for itself")
		}
	}
	if t.Header == "" {
		return nil
	}
	if !httpguts.ValidHeaderFieldName(t.Header) || taken(t.Header) {
		return grammar.WrongValue("upstream_token", t.Header, "is not a header of your own: write one such as X-Access-Token, or leave `in` out for Authorization")
	}
	if slices.ContainsFunc(l.mappings(), func(m identity.Mapping) bool { return identity.SameHeader(m.Header, t.Header) }) {
		return grammar.WrongValue("upstream_token", t.Header, "is also one of the headers for claims: choose another name")
	}
	return nil
}

func (l *RequireLogin) checkLives() error {
	life := l.life()
	switch {
	case life.Absolute < minSiteLifetime:
		return grammar.Wrong("lifetime", "%s is too short to use anything: take %s at least", grammar.ShowDuration(life.Absolute), grammar.ShowDuration(minSiteLifetime))
	case life.Idle != 0 && life.Idle < minSiteLifetime:
		return grammar.Wrong("idle_lifetime", "%s is too short to read a page: take %s at least, or 0 for no such limit", grammar.ShowDuration(life.Idle), grammar.ShowDuration(minSiteLifetime))
	case life.Idle > life.Absolute:
		return grammar.Wrong("idle_lifetime", "%s is more than the lifetime of %s, so it never counts: make it shorter, or write 0 for no such limit",
			grammar.ShowDuration(life.Idle), grammar.ShowDuration(life.Absolute))
	case l.MaxAge < 0:
		return grammar.Wrong("max_age", "it is less than zero: leave it out for any time")
	case l.MaxAge > 0 && time.Duration(l.MaxAge) < minSiteLifetime:
		return grammar.Wrong("max_age", "%s is too short to come back from the sign-in: take %s at least", grammar.ShowDuration(time.Duration(l.MaxAge)), grammar.ShowDuration(minSiteLifetime))
	}
	return nil
}

// checkWith makes sure that what the guard names is there.
func (l *RequireLogin) checkWith(app *App) error {
	known := make([]string, len(app.logins))
	for i, login := range app.logins {
		known[i] = login.Name()
	}
	for _, name := range l.Logins {
		if !slices.Contains(known, name) {
			return fmt.Errorf("require_login: logins: there is no login %q; there are: %s", name, strings.Join(known, ", "))
		}
	}
	if err := l.checkNames(len(known)); err != nil {
		return err
	}
	for _, api := range []string{l.Bearer, l.upstreamAPI()} {
		if _, ok := app.backend.issuer.API(api); api != "" && !ok {
			return fmt.Errorf("require_login: %q is not an `api` of the global option `oauth`; add `api %s { … }`, or write the identifier of one that is there", api, api)
		}
	}
	if t := l.UpstreamToken; t != nil {
		api, _ := app.backend.issuer.API(t.API)
		for _, scope := range t.Scopes {
			if !slices.Contains(api.Scopes, scope) {
				return fmt.Errorf("require_login: upstream_token: scope %q is not one of %s, so no token can have it: write one of: %s", scope, t.API, strings.Join(api.Scopes, ", "))
			}
		}
	}
	return nil
}

// checkNames refuses to call people by names that two of them may have: those of one login
// tell its people apart, not those of others. What an access token calls somebody is not of
// one login. See OpenID Connect Core §5.7.
func (l *RequireLogin) checkNames(logins int) error {
	if l.Bearer == "" && len(l.Logins) == 1 || logins <= 1 {
		return nil
	}
	for _, m := range l.mappings() {
		if m.Claim == "username" || m.Claim == "preferred_username" {
			return fmt.Errorf("require_login: header %s: people of several logins may have the same %s, and be one to the upstream: "+
				"write `logins <name>` for one of them and leave `bearer` out, or pass on `sub`", m.Header, m.Claim)
		}
	}
	return nil
}

// checkCallers makes sure that browsers send the cookie of an origin to pages of those that may
// send requests: it is SameSite=Lax. Programs bring what lets them in themselves.
func (l *RequireLogin) checkCallers(origin string) error {
	own, err := siteOf(origin)
	if err != nil {
		return err
	}
	for _, caller := range l.AllowOrigins {
		site, err := siteOf(caller)
		switch {
		case err != nil:
			return err
		case site != own && l.Bearer == "" && !l.Keys:
			return fmt.Errorf("allow_origins: pages at %s are of the site %s, and %s is of %s: browsers do not send its cookie with their requests; "+
				"serve both under one domain and scheme, or let them in by `bearer`", caller, site, origin, own)
		}
	}
	return nil
}

func (l *RequireLogin) upstreamAPI() string {
	if l.UpstreamToken == nil {
		return ""
	}
	return l.UpstreamToken.API
}
