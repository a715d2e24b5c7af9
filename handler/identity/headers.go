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
// A list is joined by commas; `scope` stays space-separated; an object is written as
// JSON. A missing or empty claim leaves the header absent. `sub` is
// verify.Claims.Identity unless `iss` is mapped as well, so that the upstream never
// takes one issuer's user for another's. An `email` that is not verified leaves it absent.
type Mapping struct {
	Header string
	Claim  string
	// Encoding is how the value is written; "" is Percent. But a `sub` is written as it
	// is unless Percent is named, and one that HTTP does not carry refuses the token: an
	// upstream that reads an identity in another way than we do reads another one.
	Encoding Encoding
}

// rule is a Mapping, ready for use.
type rule struct {
	name     string // canonical
	claim    string
	encoding Encoding
	identity bool // the claim is sub, and iss is not beside it
}

// exact reports whether the value must be what the claim says, to the letter.
func (rule *rule) exact() bool { return rule.claim == "sub" && rule.encoding == "" }

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
		if !m.Encoding.Valid() || m.Claim == "sub" && m.Encoding != "" && m.Encoding != Percent {
			return h, fmt.Errorf("reading header mapping: %s: the encoding %q is not one for %s", m.Header, m.Encoding, m.Claim)
		}
		name := http.CanonicalHeaderKey(m.Header)
		h.add(name)
		h.rules = append(h.rules, rule{name: name, claim: m.Claim, encoding: m.Encoding, identity: m.Claim == "sub" && !issuer})
	}
	return h, nil
}

var errHeaderValue = &oauth.Error{
	Code: oauth.InvalidToken, Reason: oauth.ReasonClaim,
	Description: "A claim of the access token cannot be passed on in a header.",
}

// Set writes the mapped claims, or none of them.
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

// text writes the header's value; false for a sub that cannot be carried.
func (rule *rule) text(c *verify.Claims) (string, bool) {
	if !rule.exact() {
		if rule.identity {
			return rule.encoding.text(c.Identity()), true
		}
		return claimText(c, rule.claim, rule.encoding), true
	}
	text := c.Subject
	if rule.identity {
		text = c.Identity()
	}
	return text, plain(text, false, false)
}
