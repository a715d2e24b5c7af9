// Package identity writes the headers that tell an upstream who sends a request,
// and takes out of requests what their senders wrote in their place. It checks no tokens.
//
// Begin reading at Headers.
package identity

import (
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Mapping copies a claim into a request header for the upstream.
// Whatever the client sent under that name, in any spelling, is deleted first.
// A list is joined by commas; `scope` stays space-separated. A missing or
// empty claim leaves the header absent. A value that no header can carry
// refuses the token. `sub` is verify.Claims.Identity unless `iss` is mapped as
// well, so that the upstream never takes one issuer's user for another's.
type Mapping struct {
	Header string
	Claim  string
}

// rule is a Mapping, ready for use.
type rule struct {
	name     string // canonical
	claim    string
	identity bool // the claim is sub, and iss is not beside it
}

// Headers are the headers that tell an upstream who sends a request.
type Headers struct {
	Names

	rules []rule
}

// New makes the headers of the mappings. Errors name the mapping.
func New(mappings []Mapping) (h Headers, err error) {
	issuer := slices.ContainsFunc(mappings, func(m Mapping) bool { return m.Claim == "iss" })
	for _, m := range mappings {
		if m.Claim == "" || !httpguts.ValidHeaderFieldName(m.Header) {
			return h, fmt.Errorf("reading header mapping: %q and claim %q: both must be names", m.Header, m.Claim)
		}
		if h.Has(m.Header) {
			return h, fmt.Errorf("reading header mapping: %s is mapped twice", m.Header)
		}
		name := http.CanonicalHeaderKey(m.Header)
		h.add(name)
		h.rules = append(h.rules, rule{name: name, claim: m.Claim, identity: m.Claim == "sub" && !issuer})
	}
	return h, nil
}

var errHeaderValue = &oauth.Error{
	Code: oauth.InvalidToken, Reason: oauth.ReasonClaim,
	Description: "A claim of the access token cannot be passed on in a header.",
}

// Set writes the mapped claims. Nothing is set unless all can be: a value that
// a header cannot carry as it is refuses the token, since an upstream that reads
// half an identity reads another one.
func (h *Headers) Set(header http.Header, c *verify.Claims) error {
	for i := range h.rules {
		value, ok := h.rules[i].text(c)
		if !ok {
			for _, set := range h.rules[:i] {
				delete(header, set.name)
			}
			return errHeaderValue
		}
		if value != "" {
			header[h.rules[i].name] = []string{value}
		}
	}
	return nil
}

// text writes the header's value, as claimText does.
func (rule *rule) text(c *verify.Claims) (string, bool) {
	if rule.identity {
		text := c.Identity()
		return text, carriable(text)
	}
	return claimText(c, rule.claim)
}
