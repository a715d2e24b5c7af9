package caddymodule

import (
	"errors"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/upstream"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

func init() {
	caddy.RegisterModule(GitHubLogin{})
}

// GitHubLogin lets people sign in at GitHub, which supports OAuth without OpenID Connect.
// People are identified by their GitHub user ID, which stays the same if they change their
// name. Their groups are `org` and `org/team`, without organizations that have not approved the
// app.
type GitHubLogin struct {
	ProviderLogin

	// The URL of a GitHub Enterprise Server, such as `https://github.example.com`. Default:
	// GitHub itself
	Enterprise string `json:"enterprise,omitempty"`

	// The scopes to request. With `read:org`, people's groups are read, which `groups_as_sent`,
	// an `allow group` line, and a `from` line of a `group` need. Default: read:user and
	// user:email, and read:org if groups are needed
	Scopes []string `json:"scopes,omitempty"`

	groupsWanted bool // by a `from` line of a group
	github       *upstream.GitHub
}

// githubGroups is the scope with which GitHub tells of organisations and teams.
const githubGroups = "read:org"

// githubIssuer stands for GitHub itself.
const githubIssuer = "https://github.com"

// CaddyModule returns the Caddy module information.
func (GitHubLogin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth.logins.github",
		New: func() caddy.Module { return new(GitHubLogin) },
	}
}

// UnmarshalCaddyfile sets up the login from Caddyfile tokens and checks it. Syntax:
//
//	login github [<name>] {
//	    enterprise       <url>
//	    label            <text>
//	    client_id        <id>
//	    client_secret    <value> [<other value>]
//	    scopes           <scope...>
//	    email_domains    <domain...>
//	    groups_as_sent
//	    allow            anyone
//	    allow            email_verified true
//	    allow            email|email_domain|group|sub <value...>
//	    allow            claim <name> <value...>
//	    recheck          <duration>
//	    recheck_grace    <duration>
//	    session_lifetime <duration>
//	    ca               <path>
//	    allow_private
//	    insecure
//	}
func (l *GitHubLogin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := grammar.NewReader(d, "login github")
	if err := g.Optional(&l.Name, "name", "github"); err != nil {
		return err
	}
	if err := g.NeedBlock(); err != nil {
		return err
	}
	options := l.providerOptions()
	options["enterprise"] = grammar.String(&l.Enterprise)
	options["scopes"] = grammar.List(&l.Scopes)
	if err := g.ReadBlock(l.block(), options); err != nil {
		return err
	}
	return g.Located(grammar.Within(l.block(), l.Check()))
}

// block names the login in errors.
func (l *GitHubLogin) block() string { return l.title("github") }

// provider returns what is known of it.
func (l *GitHubLogin) provider() providerFacts {
	if l.Enterprise != "" {
		return providerFacts{refresh: refreshAlways, noSignOut: true}
	}
	return providerFacts{strangers: "anybody can make an account at GitHub", refresh: refreshAlways, noSignOut: true}
}

// Check finds what the text shows to be wrong.
func (l *GitHubLogin) Check() error {
	return grammar.FirstOf(
		func() error { return checkLoginName(l.named("github")) },
		func() error { return l.checkProvider(l.provider()) },
		func() error {
			if len(l.ClientSecrets) == 0 {
				return grammar.Wrong("", "it needs `client_secret {env.NAME}`: GitHub gives one with the client_id")
			}
			return nil
		},
		func() error { return checkEach("scopes", l.Scopes, checkScope) },
		l.checkEnterprise,
	)
}

func (l *GitHubLogin) checkEnterprise() error {
	if l.Enterprise == "" {
		return nil
	}
	err := l.checkAddress(l.Enterprise)
	if err == nil && (oauth.OriginOf(l.Enterprise) != l.Enterprise || strings.HasSuffix(l.Enterprise, "github.com")) {
		err = errors.New("is not a server of your own: write scheme and host alone, such as https://github.example.com, or leave it out for GitHub itself")
	}
	if err != nil {
		return grammar.WrongValue("enterprise", l.Enterprise, "%s", err)
	}
	return nil
}

// findings are what may be meant so.
func (l *GitHubLogin) findings() []string { return l.warnings(l.provider()) }

// Provision checks the login, and that its secrets are there.
func (l *GitHubLogin) Provision(ctx caddy.Context) error {
	if err := grammar.Within(l.block(), l.Check()); err != nil {
		return err
	}
	return l.provision(ctx, l.block(), l.findings())
}

// Login makes the way to sign in.
func (l *GitHubLogin) Login(heard oauth.Observer) (_ login.Login, err error) {
	cfg := l.config(l.named("github"), heard)
	cfg.Scopes, cfg.Issuer = l.Scopes, l.Enterprise
	if l.GroupsAsSent || l.groupsWanted || slices.Contains(l.Scopes, githubGroups) {
		cfg.GroupsClaims = []string{"groups"} // they are asked for
	}
	if l.github, err = upstream.NewGitHub(cfg); err != nil {
		return nil, err
	}
	return l.github, nil
}

// Start begins the login's work in the background.
func (l *GitHubLogin) Start() error {
	l.github.Start()
	return nil
}

// Cleanup ends it.
func (l *GitHubLogin) Cleanup() error {
	if l.github != nil {
		l.github.Close()
	}
	return nil
}

// Interface guards
var (
	_ LoginModule           = (*GitHubLogin)(nil)
	_ caddy.Provisioner     = (*GitHubLogin)(nil)
	_ caddy.CleanerUpper    = (*GitHubLogin)(nil)
	_ caddyfile.Unmarshaler = (*GitHubLogin)(nil)
)
