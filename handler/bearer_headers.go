package handler

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// headerRule is a HeaderMapping, ready for use.
type headerRule struct {
	name     string // canonical
	claim    string
	identity bool // the claim is sub, and iss is not beside it
}

func headerRules(mappings []HeaderMapping) ([]headerRule, error) {
	var rules []headerRule
	issuer := slices.ContainsFunc(mappings, func(m HeaderMapping) bool { return m.Claim == "iss" })
	for _, m := range mappings {
		if m.Claim == "" || !httpguts.ValidHeaderFieldName(m.Header) {
			return nil, fmt.Errorf("reading header mapping: %q and claim %q: both must be names", m.Header, m.Claim)
		}
		rule := headerRule{name: http.CanonicalHeaderKey(m.Header), claim: m.Claim, identity: m.Claim == "sub" && !issuer}
		if slices.ContainsFunc(rules, func(r headerRule) bool { return SameHeader(r.name, rule.name) }) {
			return nil, fmt.Errorf("reading header mapping: %s is mapped twice", m.Header)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// cleanRequest deletes what the client must not tell the upstream: the headers
// that we set, and our own cookies. It runs before the token is read, so that no
// way past the guard keeps them.
func (g *Guard) cleanRequest(r *http.Request) {
	g.TakeOut(r)
	StripCookies(r.Header)
}

// dropCookies takes cookies out of the Cookie header and leaves the others as they stand.
func dropCookies(h http.Header, drop func(name string) bool) {
	var lines []string
	for _, line := range h["Cookie"] {
		var kept []string
		for part := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(part), "=")
			if !drop(strings.TrimSpace(name)) {
				kept = append(kept, strings.TrimSpace(part))
			}
		}
		if len(kept) > 0 {
			lines = append(lines, strings.Join(kept, "; "))
		}
	}
	if len(lines) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = lines
}

var errHeaderValue = &tokens.Error{
	Code: tokens.InvalidToken, Reason: tokens.ReasonClaim,
	Description: "A claim of the access token cannot be passed on in a header.",
}

// setHeaders writes the mapped claims. Nothing is set unless all can be: a
// value that a header cannot carry as it is refuses the token, since an
// upstream that reads half an identity reads another one.
func (g *Guard) setHeaders(r *http.Request, c *tokens.Claims) error {
	if len(g.headers) > 0 {
		g.replaceOthers(r)
	}
	for i := range g.headers {
		value, ok := g.headers[i].text(c)
		if !ok {
			g.unsetHeaders(r, i)
			return errHeaderValue
		}
		if value != "" {
			r.Header[g.headers[i].name] = []string{value}
		}
	}
	return nil
}

func (g *Guard) unsetHeaders(r *http.Request, n int) {
	for i := range n {
		delete(r.Header, g.headers[i].name)
	}
}

// text writes the header's value, as claimText does.
func (rule *headerRule) text(c *tokens.Claims) (string, bool) {
	if rule.identity {
		text := c.Identity()
		return text, carriable(text)
	}
	return claimText(c, rule.claim)
}

// claimText writes a claim as a header's value: "" for none, false for one
// that cannot be written without loss.
func claimText(c *tokens.Claims, name string) (string, bool) {
	var text string
	switch name { // without reading the token again
	case "sub":
		text = c.Subject
	case "iss":
		text = c.Issuer
	case "client_id":
		text = c.ClientID
	default:
		v, found := c.Lookup(name)
		if !found || v == nil {
			return "", true
		}
		var ok bool
		if text, ok = valueText(v); !ok {
			return "", false
		}
	}
	return text, carriable(text)
}

// valueText writes a scalar, or a list of scalars joined by commas.
func valueText(v any) (string, bool) {
	list, ok := v.([]any)
	if !ok {
		return scalarText(v)
	}
	parts := make([]string, len(list))
	for i, e := range list {
		if parts[i], ok = scalarText(e); !ok || strings.Contains(parts[i], ",") {
			return "", false
		}
	}
	return strings.Join(parts, ","), true
}

// scalarText writes a string, number or boolean.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// carriable reports whether a value passes through HTTP as it is: printable
// ASCII without spaces around it. See RFC 9110 §5.5.
func carriable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}
