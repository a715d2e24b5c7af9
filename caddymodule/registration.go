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

// ClientRegistration lets programs register themselves (RFC 7591), as MCP clients do. A
// registration keeps nothing: the client_id says what was registered. Such a client can sign
// people in, who are asked each time, and refresh; nothing else.
type ClientRegistration struct {
	// Who may register: `open` is everybody, `token` who has the registration token. MCP
	// clients cannot send one: it is for scripts. Default: none, it is required.
	Access string `json:"access,omitempty"`

	// What `access token` asks for, as `Authorization: Bearer …`. Write `{env.NAME}` or
	// `{file.PATH}`. Default: none
	Token string `json:"token,omitempty"`

	// The hosts of https redirect URIs that may be registered, such as `claude.ai`; a port
	// belongs to it. Addresses of the person's own machine (`localhost`, `127.0.0.1`, `[::1]`,
	// at any port), and private schemes of applications can always be. Default: none
	RedirectHosts []string `json:"redirect_hosts,omitempty"`

	StrangerOptions

	token string // Token, resolved
}

// StrangerOptions are what clients get that no configuration names.
type StrangerOptions struct {
	// The identifiers of the APIs that they may ask for; the first is the one that they get
	// where they name none. Access tokens of these live for an hour, unless the API says
	// otherwise. Default: none
	APIs []string `json:"apis,omitempty"`

	// The scopes, of those APIs, that they get where they ask for none of an API's. Default: none
	Scopes []string `json:"scopes,omitempty"`

	// How long, at most 10m, the previous refresh token gets the same answer again: many
	// programs of one computer share one. Default: 2m
	Leeway *caddy.Duration `json:"leeway,omitempty"`

	// How long after the sign-in its refresh tokens end; or "infinite". Default: 30d
	Lifetime Lifetime `json:"lifetime,omitempty"`

	// How long after its last use a refresh token ends; or "infinite". Default: 15d,
	// or the lifetime where that is shorter
	IdleLifetime Lifetime `json:"idle_lifetime,omitempty"`
}

const (
	accessOpen  = "open"
	accessToken = "token"

	defaultStrangerLeeway  = 2 * time.Minute
	maxStrangerLeeway      = 10 * time.Minute
	strangerAccessLifetime = time.Hour
	minRegistrationToken   = 16 // bytes
)

func (r *ClientRegistration) options() grammar.Options {
	options := r.StrangerOptions.options()
	options["access"] = grammar.Option{Read: r.readAccess}
	options["redirect_hosts"] = grammar.List(&r.RedirectHosts)
	return options
}

func (o *StrangerOptions) options() grammar.Options {
	return grammar.Options{
		"apis":          grammar.List(&o.APIs),
		"scopes":        grammar.List(&o.Scopes),
		"leeway":        grammar.DurationFrom0(&o.Leeway),
		"lifetime":      lifetimeOption(&o.Lifetime),
		"idle_lifetime": lifetimeOption(&o.IdleLifetime),
	}
}

// readAccess reads `access open` or `access token <value>`.
func (r *ClientRegistration) readAccess(g *grammar.Reader) error {
	words, err := g.Words()
	if err != nil {
		return err
	}
	r.Access = words[0]
	switch {
	case r.Access == accessToken && len(words) == 2:
		r.Token = words[1]
	case r.Access == accessToken && len(words) == 1:
		return g.Errorf(" token has no value: write `access token {env.NAME}` (a {$NAME} that is not set leaves none)")
	case len(words) > 1:
		return g.Errorf(" has one argument too many, %q: write `access open`, or `access token {env.NAME}`", words[1])
	}
	return nil
}

// Check finds what the text shows to be wrong.
func (r *ClientRegistration) Check(apis []*API) error {
	switch {
	case r.Access == "":
		return grammar.Wrong("", "it does not say who may register: write `access open`, or `access token {env.NAME}`")
	case r.Access != accessOpen && r.Access != accessToken:
		return grammar.Wrong("access", "%q is not known: write `access open`, or `access token {env.NAME}`", r.Access)
	case r.Access == accessToken && r.Token == "":
		return grammar.Wrong("access", "there is no token: write `access token {env.NAME}`")
	case r.Access == accessOpen && r.Token != "":
		return grammar.Wrong("access", "with `access open` nobody needs a token: leave it out, or write `access token`")
	case r.Token != "" && !grammar.IsPlaceholder(r.Token) && len(r.Token) < minRegistrationToken:
		return r.shortToken(r.Token)
	}
	if err := checkEach("redirect_hosts", r.RedirectHosts, checkRedirectHost); err != nil {
		return err
	}
	return r.StrangerOptions.check(apis)
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
	refresh.Leeway, refresh.Always = o.leeway(), true
	return clients.Policy{APIs: o.APIs, Usual: o.Scopes, Refresh: refresh}
}

// core returns the policy as the core has it; nil where nobody registers.
func (r *ClientRegistration) core() *clients.Policy {
	if r == nil {
		return nil
	}
	p := r.StrangerOptions.core()
	p.RedirectHosts = r.RedirectHosts
	return &p
}

// resolve reads the token from where it is kept.
func (r *ClientRegistration) resolve() (err error) {
	if r == nil || r.Token == "" {
		return nil
	}
	if r.token, err = grammar.Resolve(r.Token); err == nil && len(r.token) < minRegistrationToken {
		err = r.shortToken(r.token)
	}
	return err
}

func (r *ClientRegistration) shortToken(token string) error {
	return grammar.Wrong("access", "the token has %d bytes and needs at least %d: make one with `openssl rand -base64 24`", len(token), minRegistrationToken)
}
