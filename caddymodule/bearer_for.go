package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// maxGroupName is how long the name of a group may be, in bytes.
const maxGroupName = 255

func (b *BearerAuth) addFor(args []string) error {
	b.For = append(b.For, args)
	return nil
}

// checkFor checks whom a guard is for. The groups of other issuers are their own words: one
// of theirs called staff is not the gateway's. See M5 of the design.
func (b *BearerAuth) checkFor() error {
	if len(b.For) > 0 && len(b.Issuers) > 0 {
		return grammar.Wrong("for", "it means groups of this gateway, which tokens of other issuers never have: "+
			"give the issuers a `bearer_auth` of their own, and demand their groups there by `claim groups <value...>`")
	}
	for _, line := range b.For {
		if len(line) == 0 {
			return grammar.Wrong("for", "a line has no group, so that nobody would pass: name at least one, or leave it out")
		}
		if err := checkEach("for", line, checkForGroup); err != nil {
			return err
		}
	}
	return nil
}

func checkForGroup(name string) error {
	switch {
	case name == "" || len(name) > maxGroupName:
		return fmt.Errorf("is not the name of a group: write 1 to %d bytes", maxGroupName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("is not the name of a group: it must be UTF-8, without control characters")
	}
	return writtenOut(name)
}

// checkGroupsSent makes sure that the tokens of the audiences say which groups their person is
// in: else nobody would pass.
func (b *BearerAuth) checkGroupsSent(issuer *tokens.Issuer) error {
	if len(b.For) == 0 {
		return nil
	}
	for _, audience := range b.Audience {
		if api, ok := issuer.API(audience); ok && !slices.Contains(api.TokenClaims, tokens.ClaimGroups) {
			return fmt.Errorf("bearer_auth: for %s: the access tokens for %s do not say which groups a person is in, so that nobody would pass: "+
				"write `token_claims groups` into the block `api %s`", strings.Join(b.For[0], " "), audience, audience)
		}
	}
	return nil
}
