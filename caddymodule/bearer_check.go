package caddymodule

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Check finds what the text of the configuration shows to be wrong.
func (b *BearerAuth) Check() error {
	if err := b.checkOptions(); err != nil {
		return err
	}
	if err := b.checkIssuers(); err != nil {
		return err
	}
	if err := b.checkTogether(); err != nil {
		return err
	}
	if len(b.Audience) == 0 {
		return grammar.Wrong("audience", "name at least one, the identifier of an `api`: a guard without it would accept tokens made for other services")
	}
	return nil
}

// checkTogether finds options that undo each other.
func (b *BearerAuth) checkTogether() error {
	if b.Cookie != "" && b.DPoPRequired {
		return grammar.Wrong("from", "with `dpop required` the token of a cookie never passes, since no proof comes with it: leave one of them out")
	}
	if b.TokenHeader != "" && b.DPoPRequired {
		return grammar.Wrong("from", "with `dpop required` the token of a header of a proxy never passes, since no proof comes with it: leave one of them out")
	}
	for _, h := range b.Headers {
		if identity.SameHeader(h.Header, b.TokenHeader) {
			return grammar.WrongValue("header", h.Header, "is where the token comes from: choose another name")
		}
	}
	for _, issuer := range b.Issuers {
		var err error
		switch {
		case b.NoCORS && len(issuer.Origins) > 0:
			err = grammar.Wrong("origins", "they do nothing where CORS is left to others: leave them out, or `cors off`")
		case len(issuer.Claims) == 0:
		case len(b.ACR) > 0 && !slices.Contains(issuer.Claims, "acr"):
			err = grammar.Wrong("claims", "acr is not among them, so that no token of this issuer would pass `acr`: add it")
		case b.MaxAge > 0 && !slices.Contains(issuer.Claims, "auth_time"):
			err = grammar.Wrong("claims", "auth_time is not among them, so that no token of this issuer would pass `max_age`: add it")
		}
		if err != nil {
			return grammar.Within(issuer.block(), err)
		}
	}
	return nil
}

// checkOptions checks each option for itself.
func (b *BearerAuth) checkOptions() error {
	for _, scope := range slices.Concat(b.Scopes, b.ScopeAny) {
		if !oauth.ValidScope(scope) {
			return grammar.WrongValue("scope", scope, "is not a scope (RFC 6749 §3.3): write each for itself")
		}
	}
	if slices.ContainsFunc(b.ACR, func(v string) bool { return v == "" || strings.ContainsAny(v, " \"\\") }) {
		return grammar.Wrong("acr", "one is empty or has a space or quote: write each way to log in for itself")
	}
	return grammar.FirstOf(
		b.checkAudiences,
		b.checkMCP,
		b.checkClaims,
		b.checkFor,
		b.checkWritten,
		func() error { return checkEach("dpop_origin", b.DPoPOrigins, checkWebOrigin) },
		func() error { return checkMetadataURL(b.MetadataURL) },
		func() error { return checkRealm(b.Realm) },
		func() error { return checkStreams(b.Streams) },
		func() error {
			switch {
			case b.Cookie != "" && !httpguts.ValidHeaderFieldName(b.Cookie):
				return grammar.WrongValue("from", b.Cookie, "is not the name of a cookie")
			case b.TokenHeader != "" && (!httpguts.ValidHeaderFieldName(b.TokenHeader) || taken(b.TokenHeader)):
				return grammar.WrongValue("from", b.TokenHeader, "is not the name of a header that a proxy sets: write one such as Cf-Access-Jwt-Assertion")
			case b.MaxAge < 0:
				return grammar.Wrong("max_age", "it is less than zero: leave it out for any time")
			case b.MaxAge > 0 && time.Duration(b.MaxAge) < time.Second:
				return grammar.Wrong("max_age", "it is less than a second, and clients are told whole ones: write it as 10m, 12h or 30d")
			}
			return nil
		},
	)
}

func (b *BearerAuth) checkAudiences() error {
	if slices.Contains(b.Audience, "") {
		return grammar.Wrong("audience", "one is empty: write the identifier of an `api`")
	}
	return nil
}

// checkMCP finds what an MCP client could not use.
func (b *BearerAuth) checkMCP() error {
	switch {
	case !b.MCP:
		return nil
	case len(b.Audience) > 0 && oauth.OriginOf(b.Audience[0]) == "":
		return grammar.Wrong("mcp", "MCP clients compare the resource with the URL that they were given: write the URL of the server as the first audience, such as https://mcp.example.com/mcp")
	case b.Cookie != "":
		return grammar.Wrong("mcp", "with `from cookie` pages of any origin could act for whoever is signed in: leave one of them out")
	case b.MetadataURL != "":
		return grammar.Wrong("mcp", "it serves the document for each path itself: leave metadata_url out")
	}
	return nil
}

// errPrivateClaim refuses the private claims of this gateway's tokens.
const errPrivateClaim = "is a claim of this gateway's own, which may change with any version: take another one"

func (b *BearerAuth) checkClaims() error {
	for _, rule := range b.Claims {
		if rule.Claim == "" || len(rule.Values) == 0 {
			return grammar.Wrong("claim", "name a claim and at least one value: claim org acme")
		}
		if strings.HasPrefix(rule.Claim, ownPrefix) {
			return grammar.WrongValue("claim", rule.Claim, errPrivateClaim)
		}
	}
	for _, h := range b.Headers {
		if err := h.check(); err != nil {
			return err
		}
	}
	return nil
}

// checkWritten makes sure that what is compared with a token is written out.
func (b *BearerAuth) checkWritten() error {
	texts := map[string][]string{"audience": b.Audience, "scope": b.Scopes, "scope_any": b.ScopeAny, "acr": b.ACR, "realm": {b.Realm}}
	for _, rule := range b.Claims {
		texts["claim"] = append(append(texts["claim"], rule.Claim), rule.Values...)
	}
	for _, h := range b.Headers {
		texts["header"] = append(texts["header"], h.Claim)
	}
	for _, option := range slices.Sorted(maps.Keys(texts)) {
		for _, text := range texts[option] {
			if err := writtenOut(text); err != nil {
				return grammar.WrongValue(option, text, "%s", err)
			}
		}
	}
	return nil
}

// checkRealm makes sure that the challenge says what was written. See RFC 9110 §5.6.4.
func checkRealm(realm string) error {
	if strings.ContainsFunc(realm, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
		return grammar.WrongValue("realm", realm, "has a character that a challenge cannot carry: write printable ASCII, without quotes and backslashes")
	}
	return nil
}

func checkStreams(until string) error {
	switch until {
	case "", streamsUntilExpiry, streamsUntilRevoked, streamsKeep:
		return nil
	}
	return grammar.WrongValue("streams", until, "is not known: write until_expiry, until_revoked or keep, or leave the line out")
}

func checkMetadataURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.Fragment != "" {
		return grammar.WrongValue("metadata_url", text, "is not an http or https URL")
	}
	return nil
}

func (h ClaimHeader) check() error {
	if h.Header == "" || h.Claim == "" {
		return grammar.Wrong("header", "name a header and the claim that fills it: header X-User-Id sub")
	}
	if strings.HasPrefix(h.Claim, ownPrefix) {
		return grammar.WrongValue("header", h.Claim, errPrivateClaim)
	}
	if !httpguts.ValidHeaderFieldName(h.Header) {
		return grammar.WrongValue("header", h.Header, "is not the name of a header")
	}
	switch {
	case taken(h.Header):
		return grammar.WrongValue("header", h.Header, "means something else to HTTP: choose a name of your own, such as X-User-Id")
	case !h.Encoding.Valid():
		return grammar.WrongValue("header", string(h.Encoding), "is not an encoding: write percent, raw or latin1, or leave it out for percent")
	case h.Claim == "sub" && h.Encoding != "" && h.Encoding != identity.Percent:
		return grammar.WrongValue("header", string(h.Encoding), "would let two subjects look like one: write percent, or leave it out for a sub as it is")
	}
	return nil
}

// taken reports whether a header has a meaning of its own.
func taken(header string) bool {
	return slices.ContainsFunc(takenHeaders, func(taken string) bool { return identity.SameHeader(taken, header) })
}

// takenHeaders are those that would not reach the upstream as they were set, or
// that the upstream, the proxy or we ourselves read: hop by hop (RFC 9110
// §7.6.1), framing, credentials, and what says where a request comes from.
var takenHeaders = []string{
	"Authorization", "Connection", "Content-Length", "Content-Type", "Cookie", "Dpop", "Expect", "Forwarded", "Host", "Keep-Alive", "Origin",
	"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Sec-Fetch-Site", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
}

// checkAudience makes sure that tokens for the audiences can exist. What other
// issuers make tokens for is theirs to know.
func (b *BearerAuth) checkAudience(issuer *tokens.Issuer) error {
	if len(b.Issuers) > 0 {
		return nil
	}
	for _, audience := range b.Audience {
		if _, ok := issuer.API(audience); ok {
			continue
		}
		known := make([]string, 0, len(issuer.APIs()))
		for _, api := range issuer.APIs() {
			known = append(known, api.Identifier)
		}
		if len(known) == 0 {
			return fmt.Errorf("bearer_auth: audience %q: no `api` is configured in the global option `oauth`; add `api %s { … }`", audience, audience)
		}
		return fmt.Errorf("bearer_auth: audience %q is not an `api` of the global option `oauth`; there are: %s",
			audience, strings.Join(known, ", "))
	}
	return b.checkScopes(issuer)
}

// checkScopes makes sure that a token for the audiences can have the scopes: a
// mistyped one would shut everybody out.
func (b *BearerAuth) checkScopes(issuer *tokens.Issuer) error {
	there := slices.Clone(oauth.ReservedScopes)
	for _, audience := range b.Audience {
		if api, ok := issuer.API(audience); ok {
			there = append(there, api.Scopes...)
		}
	}
	for _, scope := range slices.Concat(b.Scopes, b.ScopeAny) {
		if !slices.Contains(there, scope) {
			return fmt.Errorf("bearer_auth: scope %q is not one of the guard's audience, so no token can have it: "+
				"add it to the scopes of the `api`, or write one of: %s", scope, strings.Join(there, ", "))
		}
	}
	return nil
}
