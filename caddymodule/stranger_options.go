package caddymodule

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// StrangerOptions are what clients get that are not in the configuration.
type StrangerOptions struct {
	// The identifiers of the APIs that these clients can request tokens for. A client that
	// names no API gets the first one. Access tokens of these APIs are valid for an hour,
	// unless the API says otherwise. Default: none
	APIs []string `json:"apis,omitempty"`

	// The scopes of those APIs that clients get if they request none of an API's scopes.
	// Default: none
	Scopes []string `json:"scopes,omitempty"`

	// The hosts that https redirect URIs of these clients can have, such as `claude.ai`,
	// including the port if there is one. Addresses of the person's own machine (`localhost`,
	// `127.0.0.1`, `[::1]`, at any port), private schemes of applications, and the origin of a
	// client's own metadata are always accepted. Default: none
	RedirectHosts []string `json:"redirect_hosts,omitempty"`

	// How long, up to 10m, the previous refresh token gets the same response again, because
	// many programs on one computer can share a token. Default: 2m
	Leeway *caddy.Duration `json:"leeway,omitempty"`

	// What happens if a client sends a refresh token again that is older than the previous one,
	// or past the leeway. `revoke` ends everything that started with the sign-in, because
	// somebody may have stolen the token. `refuse` refuses only that token: several copies of a
	// program that share a token keep working, but a thief who uses a token first is not
	// detected. Default: revoke
	OnReuse string `json:"on_reuse,omitempty"`

	// How long after sign-in the refresh tokens end; or "infinite". Default: 30d
	Lifetime Lifetime `json:"lifetime,omitempty"`

	// How long after its last use a refresh token ends; or "infinite". Default: 15d, or the
	// lifetime if that is shorter
	IdleLifetime Lifetime `json:"idle_lifetime,omitempty"`
}

const (
	reuseRevoke = "revoke"
	reuseRefuse = "refuse"

	defaultStrangerLeeway  = 2 * time.Minute
	maxStrangerLeeway      = 10 * time.Minute
	strangerAccessLifetime = time.Hour
)

func (o *StrangerOptions) options() grammar.Options {
	return grammar.Options{
		"apis":           grammar.List(&o.APIs),
		"scopes":         grammar.List(&o.Scopes),
		"redirect_hosts": grammar.List(&o.RedirectHosts),
		"on_reuse":       grammar.String(&o.OnReuse),
		"leeway":         grammar.DurationFrom0(&o.Leeway),
		"lifetime":       lifetimeOption(&o.Lifetime),
		"idle_lifetime":  lifetimeOption(&o.IdleLifetime),
	}
}

func (o *StrangerOptions) check(apis []*API) error {
	known := make(map[string]*API)
	for _, api := range apis {
		known[api.Identifier] = api
	}
	var scopes []string
	err := checkEach("apis", o.APIs, func(id string) error {
		if known[id] == nil {
			return errors.New("is not configured: add `api " + id + "`")
		}
		scopes = append(scopes, known[id].Scopes...)
		return nil
	})
	if err != nil {
		return err
	}
	err = checkEach("scopes", o.Scopes, func(scope string) error {
		if !slices.Contains(scopes, scope) {
			return errors.New("is no scope of these apis: add it to `scopes` of one of them, or leave it out")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := checkEach("redirect_hosts", o.RedirectHosts, checkRedirectHost); err != nil {
		return err
	}
	if o.OnReuse != "" && o.OnReuse != reuseRevoke && o.OnReuse != reuseRefuse {
		return grammar.Wrong("on_reuse", "%q is not known: write revoke or refuse", o.OnReuse)
	}
	if l := o.leeway(); l < 0 || l > maxStrangerLeeway {
		return grammar.Wrong("leeway", "%s is out of range: take 0s (strict) to %s; longer gives a thief time", grammar.ShowDuration(l), grammar.ShowDuration(maxStrangerLeeway))
	}
	refresh := o.refresh()
	refresh.Leeway = nil
	return refresh.Check()
}

// refresh is how their refresh tokens live.
func (o *StrangerOptions) refresh() *RefreshToken {
	return &RefreshToken{Lifetime: o.Lifetime, IdleLifetime: o.IdleLifetime}
}

func (o *StrangerOptions) leeway() time.Duration {
	if o.Leeway == nil {
		return defaultStrangerLeeway
	}
	return time.Duration(*o.Leeway)
}

// core returns the policy as the core has it.
func (o *StrangerOptions) core() clients.Policy {
	refresh := o.refresh().core()
	refresh.Leeway, refresh.Always, refresh.ReuseRefused = o.leeway(), true, o.OnReuse == reuseRefuse
	return clients.Policy{APIs: o.APIs, Usual: o.Scopes, RedirectHosts: o.RedirectHosts, Refresh: refresh}
}

func checkRedirectHost(host string) error {
	switch u, err := url.Parse("https://" + host + "/"); {
	case strings.Contains(host, "*"):
		return errors.New("has a wildcard: hosts are compared exactly; write out each")
	case strings.Contains(host, "/"):
		return errors.New("is more than a host: write it without scheme and path, such as claude.ai")
	case err != nil || host == "" || u.Host != host || u.User != nil || strings.ToLower(host) != host || strings.HasSuffix(u.Hostname(), "."):
		return errors.New("is not a host: write it in small letters, such as claude.ai")
	}
	return writtenOut(host)
}
