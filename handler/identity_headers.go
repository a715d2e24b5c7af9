package handler

import (
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// HeaderMapping copies a claim into a request header for the upstream.
// Whatever the client sent under that name, in any spelling, is deleted first.
// A list is joined by commas; `scope` stays space-separated. A missing or
// empty claim leaves the header absent. A value that no header can carry
// refuses the token. `sub` is tokens.Claims.Identity unless `iss` is mapped as
// well, so that the upstream never takes one issuer's user for another's.
type HeaderMapping struct {
	Header string
	Claim  string
}

// headerRule is a HeaderMapping, ready for use.
type headerRule struct {
	name     string // canonical
	claim    string
	identity bool // the claim is sub, and iss is not beside it
}

// IdentityHeaders are the headers that tell an upstream who sends a request.
type IdentityHeaders struct {
	headerNames

	rules []headerRule
}

// NewIdentityHeaders makes the headers of the mappings. Errors name the mapping.
func NewIdentityHeaders(mappings []HeaderMapping) (h IdentityHeaders, err error) {
	issuer := slices.ContainsFunc(mappings, func(m HeaderMapping) bool { return m.Claim == "iss" })
	for _, m := range mappings {
		if m.Claim == "" || !httpguts.ValidHeaderFieldName(m.Header) {
			return h, fmt.Errorf("reading header mapping: %q and claim %q: both must be names", m.Header, m.Claim)
		}
		if h.has(m.Header) {
			return h, fmt.Errorf("reading header mapping: %s is mapped twice", m.Header)
		}
		name := http.CanonicalHeaderKey(m.Header)
		h.add(name)
		h.rules = append(h.rules, headerRule{name: name, claim: m.Claim, identity: m.Claim == "sub" && !issuer})
	}
	return h, nil
}

var errHeaderValue = &tokens.Error{
	Code: tokens.InvalidToken, Reason: tokens.ReasonClaim,
	Description: "A claim of the access token cannot be passed on in a header.",
}

// Set writes the mapped claims. Nothing is set unless all can be: a value that
// a header cannot carry as it is refuses the token, since an upstream that reads
// half an identity reads another one.
func (h *IdentityHeaders) Set(header http.Header, c *tokens.Claims) error {
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
func (rule *headerRule) text(c *tokens.Claims) (string, bool) {
	if rule.identity {
		text := c.Identity()
		return text, carriable(text)
	}
	return claimText(c, rule.claim)
}
