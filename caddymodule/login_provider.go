package caddymodule

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/upstream"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// ProviderLogin is what all logins at an external identity provider have in common. Register
// the address `<issuer>/callback/<name>` there, with the issuer of this server.
type ProviderLogin struct {
	// The name of this login, and the first half of its users' subjects, `<name>|<id>`. If you
	// change it, everybody becomes a different person. Default: the name of the module, or of
	// the preset
	Name string `json:"name,omitempty"`

	// The text that people see on the login page. Default: the name
	Label string `json:"label,omitempty"`

	// The client_id that the provider gave this gateway. Default: none, it is required.
	ClientID string `json:"client_id,omitempty"`

	// The secret that the provider gave with it: `{env.NAME}` or `{file.PATH}`, which is read
	// each time it is needed. While you change the secret, add a second one, which is tried if
	// the provider refuses the first. A literal secret ends up in the adapted JSON. Default:
	// none; required if there is no `client_key`.
	ClientSecrets []string `json:"client_secrets,omitempty"`

	// The domains of the email addresses that this login can assert; an address of another
	// domain is never verified. Two logins cannot share a domain. People who sign in with a
	// `login_hint` of such a domain are sent to this login. Default: any.
	EmailDomains []string `json:"email_domains,omitempty"`

	// Whether the provider's groups count under their own names, as for a company's own
	// directory. Otherwise, a name counts only if a `from` line of a `group` takes it. Default:
	// false
	GroupsAsSent bool `json:"groups_as_sent,omitempty"`

	// Who can sign in. Every rule must match, and in each rule at least one of the values.
	// Default: everybody whom the provider knows; required if anybody can create an account
	// there.
	Allow []*AllowRule `json:"allow,omitempty"`

	// How long the provider's last answer about a person is used. If it is older, the provider
	// is asked again when a token is refreshed or an application signs the person in. At least
	// 1m. Default: it is never asked again.
	Recheck caddy.Duration `json:"recheck,omitempty"`

	// How much longer the last answer is used if the provider cannot be asked. After that,
	// refreshes get a 503 until the provider can be asked again. At least `recheck`. Default:
	// 24h
	RecheckGrace caddy.Duration `json:"recheck_grace,omitempty"`

	// The maximum time that people who used this login stay signed in. At least 1m. Default: as
	// long as `session` allows
	SessionLifetime caddy.Duration `json:"session_lifetime,omitempty"`

	// A PEM file of the CA certificates to trust for the provider's servers, instead of those
	// that the system trusts. Default: none.
	CA string `json:"ca,omitempty"`

	// Whether all of the provider's servers may be at private, loopback, or link-local
	// addresses. The host that the configuration names is always allowed to. Default: false
	AllowPrivate bool `json:"allow_private,omitempty"`

	// Whether http may be used to reach the provider on other machines than this one. Anybody
	// on the network path can then sign in as anybody, so use it only for tests. Default: false
	Insecure bool `json:"insecure,omitempty"`

	log *slog.Logger
}

// The bounds of the times of a login, and a default.
const (
	minRecheck          = time.Minute
	defaultRecheckGrace = 24 * time.Hour
	maxClientSecrets    = 2
	maxLabel            = 64
)

// providerOptions are the words that all of these logins know.
func (p *ProviderLogin) providerOptions() grammar.Options {
	return grammar.Options{
		"label":            grammar.String(&p.Label),
		"client_id":        grammar.String(&p.ClientID),
		"client_secret":    grammar.List(&p.ClientSecrets),
		"email_domains":    grammar.List(&p.EmailDomains),
		"groups_as_sent":   grammar.Flag(&p.GroupsAsSent),
		"allow":            grammar.Args("<what> [<value...>]", p.addAllow).Repeated(),
		"recheck":          grammar.Duration(&p.Recheck),
		"recheck_grace":    grammar.Duration(&p.RecheckGrace),
		"session_lifetime": grammar.Duration(&p.SessionLifetime),
		"ca":               grammar.String(&p.CA),
		"allow_private":    grammar.Flag(&p.AllowPrivate),
		"insecure":         grammar.Flag(&p.Insecure),
	}
}

// checkProvider finds what the text shows to be wrong in what all of them have. Of the
// provider it knows what is said of it.
func (p *ProviderLogin) checkProvider(known providerFacts) error {
	return grammar.FirstOf(
		p.checkNames,
		p.checkSecrets,
		func() error { return checkEach("email_domains", p.EmailDomains, checkDomain) },
		p.checkAllow,
		func() error { return p.checkStrangers(known) },
		func() error { return p.checkTimes(known) },
		func() error { return checkPath("ca", p.CA) },
	)
}

func (p *ProviderLogin) checkNames() error {
	switch {
	case p.ClientID == "":
		return grammar.Wrong("", "it needs a client_id: register this gateway at the provider, with the redirect URI <issuer>/callback/<name>, and write what you get there")
	case anyPlaceholder.MatchString(p.ClientID):
		return grammar.WrongValue("client_id", p.ClientID, "%s", writtenOut(p.ClientID))
	case strings.ContainsFunc(p.ClientID, func(c rune) bool { return c < ' ' || c > '~' }):
		return grammar.WrongValue("client_id", p.ClientID, "has a character that is not printable ASCII (RFC 6749 appendix A.1): copy it anew")
	case len(p.Label) > maxLabel || strings.ContainsFunc(p.Label, unicode.IsControl):
		return grammar.Wrong("label", "it is for a button: take up to %d bytes without control characters", maxLabel)
	}
	return nil
}

// checkSecrets checks the secrets, and shows none.
func (p *ProviderLogin) checkSecrets() error {
	if len(p.ClientSecrets) > maxClientSecrets {
		return grammar.Wrong("client_secret", "there are %d: keep the one in use, and the one before or after it", len(p.ClientSecrets))
	}
	seen := make(map[string]bool)
	for i, secret := range p.ClientSecrets {
		var err error
		switch {
		case secret == "":
			err = errors.New("is empty: write {env.NAME} or {file.PATH}")
		case grammar.HasPlaceholder(secret):
			err = errors.New("holds a placeholder among other text: write {env.NAME} or {file.PATH} alone")
		case seen[secret]:
			err = errors.New("is there before: leave one out")
		}
		if err != nil {
			return grammar.WrongNumber("client_secret", i+1, secret, err)
		}
		seen[secret] = true
	}
	return nil
}

// checkTimes checks how long things are believed.
func (p *ProviderLogin) checkTimes(known providerFacts) error {
	recheck, grace, session := time.Duration(p.Recheck), time.Duration(p.RecheckGrace), time.Duration(p.SessionLifetime)
	switch {
	case recheck != 0 && known.refresh != refreshNever && recheck < max(minRecheck, known.minRecheck):
		return grammar.Wrong("recheck", "%s is more often than it can be asked: take %s or more", grammar.ShowDuration(recheck), grammar.ShowDuration(max(minRecheck, known.minRecheck)))
	case recheck != 0 && known.refresh == refreshNever:
		return grammar.Wrong("recheck", "this provider cannot be asked again, since it gives no refresh token: leave it out, and bound a sign-in with `session_lifetime 12h`")
	case grace != 0 && recheck == 0:
		return grammar.Wrong("recheck_grace", "nothing is asked again: write `recheck 1h` beside it, or leave it out")
	case grace < 0 || recheck != 0 && p.grace() < recheck:
		return grammar.Wrong("recheck_grace", "%s is less than recheck, which is %s: take more, such as %s", grammar.ShowDuration(p.grace()), grammar.ShowDuration(recheck), grammar.ShowDuration(2*recheck))
	case session != 0 && session < minRecheck:
		return grammar.Wrong("session_lifetime", "%s is too short to do anything in: take 1m or more", grammar.ShowDuration(session))
	}
	return nil
}

func (p *ProviderLogin) grace() time.Duration {
	return cmp.Or(time.Duration(p.RecheckGrace), max(defaultRecheckGrace, time.Duration(p.Recheck)))
}

// checkStrangers makes an operator say who may come in, where anybody can make an account.
func (p *ProviderLogin) checkStrangers(known providerFacts) error {
	switch {
	case known.strangers == "":
		return nil
	case len(p.Allow) == 0:
		return grammar.Wrong("", "%s: say who may come in, such as `allow email_domain example.com`, or `allow anyone` if that is meant", known.strangers)
	case p.GroupsAsSent:
		return grammar.Wrong("groups_as_sent", "%s, and with it a group of any name: leave it out, and take the groups that you mean with `group <name> { from <login> <theirs> }`", known.strangers)
	}
	return nil
}

// warnings are findings that may be meant so.
func (p *ProviderLogin) warnings(known providerFacts) []string {
	var found []string
	for i, secret := range p.ClientSecrets {
		if !grammar.IsPlaceholder(secret) {
			found = append(found, ordinal(i)+" client_secret is written out in the configuration and in what it is adapted to: use {env.NAME} or {file.PATH}")
		}
	}
	if p.Insecure {
		found = append(found, "`insecure` lets whoever is on the way sign in as anybody: take it out of production")
	}
	if known.mayRegister != "" && len(p.Allow) == 0 {
		found = append(found, known.mayRegister+": say who may come in with `allow` lines, or `allow anyone` if that is meant")
	}
	return found
}

// named is the name of the login, where usual is that of its module.
func (p *ProviderLogin) named(usual string) string { return cmp.Or(p.Name, usual) }

// title names the login in errors.
func (p *ProviderLogin) title(usual string) string { return "login " + p.named(usual) }

// provision makes sure that the secrets and the certificates are there, and says what it has found.
func (p *ProviderLogin) provision(ctx caddy.Context, block string, findings []string) error {
	p.log = ctx.Slogger()
	for _, text := range findings {
		ctx.Logger().Warn(block + ": " + text)
	}
	if _, err := p.secrets(); err != nil {
		return fmt.Errorf("%s: client_secret: %w", block, err)
	}
	if p.CA != "" {
		if _, err := fetch.ReadRoots(p.CA); err != nil {
			return fmt.Errorf("%s: %w", block, err)
		}
	}
	return nil
}

func ordinal(i int) string {
	if i == 0 {
		return "the first"
	}
	return "the second"
}

// secrets reads the secrets from where they are kept, as they are now.
func (p *ProviderLogin) secrets() ([]string, error) {
	resolved := make([]string, len(p.ClientSecrets))
	for i, secret := range p.ClientSecrets {
		var err error
		if resolved[i], err = grammar.Resolve(secret); err != nil {
			return nil, err
		}
	}
	return resolved, nil
}

// config is what all of these logins are configured by.
func (p *ProviderLogin) config(name string, heard oauth.Observer) upstream.Config {
	cfg := upstream.Config{
		Name:          name,
		Label:         cmp.Or(p.Label, name),
		ClientID:      p.ClientID,
		ClientSecrets: p.secrets,
		EmailDomains:  p.EmailDomains,
		Schedule: login.Schedule{
			Recheck:         time.Duration(p.Recheck),
			Grace:           p.grace(),
			SessionLifetime: time.Duration(p.SessionLifetime),
		},
		AllowPrivate: p.AllowPrivate,
		Insecure:     p.Insecure,
		Observer:     heard,
		Clock:        time.Now,
		Logger:       p.log,
	}
	for _, rule := range p.Allow {
		cfg.Allow = append(cfg.Allow, rule.core())
	}
	if p.CA != "" {
		cfg.Roots = func() (*x509.CertPool, error) { return fetch.ReadRoots(p.CA) }
	}
	return cfg
}
