package caddymodule

import (
	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// ClientRegistration lets programs such as MCP clients register themselves (RFC 7591). The
// gateway stores nothing: the client_id contains what was registered. Such a client can only
// sign people in, who are asked each time, and refresh.
type ClientRegistration struct {
	// Who can register: with `open`, everybody; with `token`, whoever has the registration
	// token. MCP clients cannot send one: it is for scripts. Default: none, it is required.
	Access string `json:"access,omitempty"`

	// The token that `access token` requires, sent as `Authorization: Bearer …`. Write
	// `{env.NAME}` or `{file.PATH}`. Default: none
	Token string `json:"token,omitempty"`

	StrangerOptions

	token string // Token, resolved
}

const (
	accessOpen  = "open"
	accessToken = "token"

	minRegistrationToken = 16 // bytes
)

func (r *ClientRegistration) options() grammar.Options {
	options := r.StrangerOptions.options()
	options["access"] = grammar.Option{Read: r.readAccess}
	return options
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
	return r.StrangerOptions.check(apis)
}

// core returns the policy as the core has it; nil where nobody registers.
func (r *ClientRegistration) core() *clients.Policy {
	if r == nil {
		return nil
	}
	p := r.StrangerOptions.core()
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
