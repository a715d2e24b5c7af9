package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// checkFor checks whom a guard is for. The groups of other issuers are their own words: one
// of theirs called staff is not the gateway's.
func (b *BearerAuth) checkFor() error {
	if len(b.For) > 0 && len(b.Issuers) > 0 {
		return grammar.Wrong("for", "it means groups of this gateway, which tokens of other issuers never have: "+
			"give the issuers a `bearer_auth` of their own, and demand their groups there by `claim groups <value...>`")
	}
	return checkRule(b.For)
}

// mentionGroups makes the groups known that the guard is for, and makes sure that the tokens
// of its audiences say which groups their person is in: else nobody would pass.
func (b *BearerAuth) mentionGroups(app *App, issuer *tokens.Issuer) error {
	if len(b.For) == 0 {
		return nil
	}
	for _, audience := range b.Audience {
		if api, ok := issuer.API(audience); ok && !slices.Contains(api.TokenClaims, tokens.ClaimGroups) {
			return fmt.Errorf("bearer_auth: for %s: the access tokens for %s do not say which groups a person is in, so that nobody would pass: "+
				"write `token_claims groups` into the block `api %s`", strings.Join(b.For[0], " "), audience, audience)
		}
	}
	issuer.Config().People.Mention(people.Rule(b.For).Names())
	app.guards.rules = append(app.guards.rules, ruled{"bearer_auth " + b.Audience[0], "for", b.For})
	return nil
}
