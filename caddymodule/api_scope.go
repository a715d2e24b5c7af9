package caddymodule

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// ScopeDetail gives details of one scope of an API.
type ScopeDetail struct {
	// The scope. It must be one of the API's scopes. Default: none, it is required.
	Scope string `json:"scope,omitempty"`

	// A description of what the scope allows, for the page that asks people to agree. Default:
	// the scope itself
	Text string `json:"text,omitempty"`

	// Who can get the scope, by groups: a person must be in at least one group of each list.
	// Tokens for everybody else leave it out. Machines have no groups, and get the scope
	// through the `scopes` of their client. Default: everybody
	For [][]string `json:"for,omitempty"`
}

// maxScopeText is how long the text of a scope may be, in bytes: it is a line of a page.
const maxScopeText = 200

// block names the scope in errors.
func (s *ScopeDetail) block() string { return grammar.Title("scope", s.Scope) }

func (a *API) readScope(g *grammar.Reader) error {
	if !g.NextArg() {
		return g.Missing()
	}
	s := &ScopeDetail{Scope: g.Val()}
	a.ScopeDetails = append(a.ScopeDetails, s)
	if err := g.NeedBlock(); err != nil {
		return err
	}
	return g.ReadBlock(s.block(), grammar.Options{"text": grammar.String(&s.Text), "for": grammar.Lines(&s.For)})
}

// checkScopeDetails checks what is said of scopes.
func (a *API) checkScopeDetails() error {
	seen := make(map[string]bool)
	for _, s := range a.ScopeDetails {
		if s == nil {
			return grammar.Wrong("scope", "there is a null in the list: leave it out")
		}
		if err := s.check(a.Scopes, seen); err != nil {
			return grammar.Within(s.block(), err)
		}
		seen[s.Scope] = true
	}
	return nil
}

func (s *ScopeDetail) check(scopes []string, seen map[string]bool) error {
	switch {
	case seen[s.Scope]:
		return grammar.Wrong("", "duplicate scope: put all that is said of it in one block")
	case !slices.Contains(scopes, s.Scope):
		return grammar.Wrong("", "the API has no such scope: add it to `scopes`, or leave the block out")
	case len(s.Text) > maxScopeText || strings.ContainsFunc(s.Text, unicode.IsControl):
		return grammar.Wrong("text", "it is a line of a page: take up to %d bytes without control characters", maxScopeText)
	}
	if err := writtenOut(s.Text); err != nil {
		return grammar.Wrong("text", "it %s", err)
	}
	return checkRule(s.For)
}

// checkTokenClaim checks a claim that access tokens carry of a person.
func checkTokenClaim(name string) error {
	switch {
	case name == tokens.ClaimGroups || name == "email":
		return nil
	case name == "email_verified":
		return errors.New("comes with email: write that alone")
	case ownClaim(name):
		return errors.New("is a claim that tokens of this gateway have a meaning for: leave it out, or keep what you mean under another name (`claim <ours> <theirs>` at a login)")
	}
	return plainText(name)
}

// addDetails adds what is said of scopes.
func (a *API) addDetails(api *clients.API) {
	for _, s := range a.ScopeDetails {
		if len(s.For) > 0 {
			if api.ScopeFor == nil {
				api.ScopeFor = make(map[string]people.Rule)
			}
			api.ScopeFor[s.Scope] = s.For
		}
		if s.Text != "" {
			if api.ScopeTexts == nil {
				api.ScopeTexts = make(map[string]string)
			}
			api.ScopeTexts[s.Scope] = s.Text
		}
	}
}
