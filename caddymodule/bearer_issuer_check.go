package caddymodule

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// The most that the options of an issuer take.
const (
	maxTokenSize    = 64 << 10
	maxTokenMembers = 10000
)

// tenantTemplate stands for a tenant in the issuer of Entra.
const tenantTemplate = "{tenantid}"

// Check finds what the text of the configuration shows to be wrong.
func (i *BearerIssuer) Check() error {
	return grammar.FirstOf(
		i.checkName,
		i.checkKeys,
		i.checkServer,
		i.checkAlgorithms,
		i.checkClaims,
		func() error { return checkEach("origins", i.Origins, checkOrigin) },
		i.checkBounds,
	)
}

// checkName checks the issuer itself. One whose keys are elsewhere is only a
// name (RFC 7519 §4.1.1).
func (i *BearerIssuer) checkName() error {
	if i.Issuer == "" {
		return grammar.Wrong("issuer", "it is required: the `iss` of the tokens, such as `issuer https://tenant.auth0.com/`")
	}
	if err := i.checkTenants(); err != nil {
		return err
	}
	name := strings.ReplaceAll(i.Issuer, tenantTemplate, "t")
	if strings.Contains(name, "|") {
		return grammar.WrongValue("issuer", i.Issuer, "has a |, which stands between issuer and subject in `{http.auth.user.id}`")
	}
	if i.JWKSURI != "" || i.JWKSFile != "" || i.PublicKey != "" {
		if strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			return grammar.WrongValue("issuer", i.Issuer, "has a space or a control character: write the `iss` of the tokens, to the letter")
		}
		if loginName.MatchString(name) { // which begins the subjects of our own people: <login>|<id>
			return grammar.WrongValue("issuer", i.Issuer, "could be the name of a login, and %s|alice one of its people: an issuer needs a dot, colon or slash in its name", name)
		}
		if err := writtenOut(name); err != nil {
			return grammar.WrongValue("issuer", i.Issuer, "%s", err)
		}
		return nil
	}
	if !strings.Contains(name, "://") {
		return grammar.WrongValue("issuer", i.Issuer, "is no URL at which its keys can be asked for: begin it with https://, or where it is only a name say where they are, with jwks_uri")
	}
	return i.checkFetched("issuer", i.Issuer, func(text string) error { return checkIssuer("issuer", text) })
}

// checkTenants makes sure that the template and what it stands for are both there.
func checkTenants(issuer string, tenants []string) error {
	switch template := strings.Contains(issuer, tenantTemplate); {
	case template && len(tenants) == 0:
		return grammar.WrongValue("issuer", issuer, "stands for every tenant of Entra, and anybody can make one: name those that you mean with `tenants`")
	case !template && len(tenants) > 0:
		return grammar.Wrong("tenants", "the issuer has no %s that they could stand for: write it there, or leave them out", tenantTemplate)
	}
	return nil
}

// checkTenants checks the tenants that share an issuer's keys.
func (i *BearerIssuer) checkTenants() error {
	if err := checkTenants(i.Issuer, i.Tenants); err != nil {
		return err
	}
	if len(i.Tenants) > 0 && i.JWKSURI == "" {
		return grammar.Wrong("tenants", "they share their keys: write `jwks_uri https://login.microsoftonline.com/common/discovery/v2.0/keys`")
	}
	return checkEach("tenants", i.Tenants, func(tenant string) error {
		if err := plainText(tenant); err != nil {
			return err
		}
		if strings.ContainsAny(tenant, "/?#|{} ") {
			return errors.New("is not the ID of a tenant: write it as 00000000-0000-0000-0000-000000000000")
		}
		return nil
	})
}

// checkKeys checks where the keys are.
func (i *BearerIssuer) checkKeys() error {
	places := 0
	for _, place := range []string{i.JWKSURI, i.JWKSFile, i.PublicKey} {
		if place != "" {
			places++
		}
	}
	if places > 1 {
		return grammar.Wrong("", "its keys are said to be in several places: keep one of jwks_uri, jwks_file and public_key")
	}
	switch {
	case i.JWKSURI != "":
		return i.checkFetched("jwks_uri", i.JWKSURI, checkKeysURL)
	case i.JWKSFile != "":
		return grammar.FirstOf(i.checkLocal, func() error { return checkPath("jwks_file", i.JWKSFile) })
	case i.PublicKey == "":
		return nil
	}
	if err := i.checkLocal(); err != nil || grammar.IsPlaceholder(i.PublicKey) {
		return err
	}
	if err := i.checkKey(i.PublicKey); err != nil {
		return grammar.Wrong("public_key", "%s", err)
	}
	return nil
}

// checkLocal finds options that are about a server where there is none.
func (i *BearerIssuer) checkLocal() error {
	var option string
	switch {
	case i.JWKSHeader != nil:
		option = "jwks_header"
	case i.CA != "":
		option = "ca"
	case i.AllowPrivate:
		option = "allow_private"
	default:
		return nil
	}
	return grammar.Wrong(option, "nothing is fetched, since the keys are on this machine: leave it out")
}

func checkKeysURL(text string) error {
	u, err := parseURL(text)
	if err == nil {
		err = checkWeb(u)
	}
	if err != nil {
		return grammar.WrongValue("jwks_uri", text, "%s", err)
	}
	return nil
}

// checkFetched checks a URL that is asked for keys. What is in this network may use
// http, where that is allowed.
func (i *BearerIssuer) checkFetched(option, text string, check func(string) error) error {
	rest, clear := strings.CutPrefix(text, "http://")
	if !clear {
		return check(text)
	}
	if !i.AllowPrivate {
		return grammar.WrongValue(option, text, "is not encrypted: use https, or add `allow_private` where it is in your network")
	}
	return check("https://" + rest)
}

// checkServer checks how the server of the keys is asked.
func (i *BearerIssuer) checkServer() error {
	if h := i.JWKSHeader; h != nil {
		switch {
		case !httpguts.ValidHeaderFieldName(h.Name) || !httpguts.ValidHeaderFieldValue(h.Value) || h.Value == "":
			return grammar.Wrong("jwks_header", "write a header and its value: `jwks_header Authorization \"Bearer {env.JWKS_TOKEN}\"`")
		case strings.HasPrefix(i.keysAt(), "http:"):
			return grammar.Wrong("jwks_header", "%s is not encrypted, and everybody on the way would read it: use https", i.keysAt())
		}
	}
	return checkPath("ca", i.CA)
}

// checkPath checks the path of a file; "" is none.
func checkPath(option, path string) error {
	if path == "" {
		return nil
	}
	if err := writtenOut(path); err != nil {
		return grammar.WrongValue(option, path, "%s", err)
	}
	if !filepath.IsAbs(path) {
		return grammar.WrongValue(option, path, "is not a whole path: begin it with /")
	}
	return nil
}

// keysAt is where the keys, or the document that says where they are, are fetched from.
func (i *BearerIssuer) keysAt() string {
	if i.JWKSURI != "" {
		return i.JWKSURI
	}
	return i.Issuer
}

func (i *BearerIssuer) checkAlgorithms() error {
	return checkEach("algorithms", i.Algorithms, func(name string) error {
		if jose.Algorithm(name).Valid() {
			return nil
		}
		return fmt.Errorf("is no algorithm that signs with a public key: write some of %s", joinAlgorithms())
	})
}

func joinAlgorithms() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(jose.Algorithms()), "[]"), " ", ", ")
}

func (i *BearerIssuer) checkClaims() error {
	return grammar.FirstOf(
		func() error { return checkEach("audience", i.Audience, plainText) },
		func() error { return checkEach("audience_claim", i.AudienceClaims, plainText) },
		func() error { return checkEach("scope_claim", i.ScopeClaims, plainText) },
		func() error { return checkEach("subject_claim", i.SubjectClaims, plainText) },
		func() error { return checkEach("claims", i.Claims, plainText) },
	)
}

func (i *BearerIssuer) checkBounds() error {
	switch {
	case i.Type != "" && i.Type != "JWT":
		return grammar.WrongValue("typ", i.Type, "is no type of access tokens: write `typ JWT`, or leave it out for at+jwt alone")
	case i.MaxTokenAge < 0:
		return grammar.Wrong("max_token_age", "%s is less than no time: leave it out for no bound", grammar.ShowDuration(time.Duration(i.MaxTokenAge)))
	case i.MaxTokenSize < 0 || i.MaxTokenSize > maxTokenSize:
		return grammar.Wrong("max_token_size", "it is out of range: take up to 64KiB; a header of more does not reach many upstreams")
	case i.MaxTokenMembers < 0 || i.MaxTokenMembers > maxTokenMembers:
		return grammar.Wrong("max_token_members", "it is out of range: take up to %d", maxTokenMembers)
	case i.Leeway != nil && (*i.Leeway < 0 || time.Duration(*i.Leeway) > oauth.MaxLeeway):
		return grammar.Wrong("leeway", "%s is out of range: take 0s (strict) to %s; clocks that differ by more are wrong, and NTP sets them",
			grammar.ShowDuration(time.Duration(*i.Leeway)), grammar.ShowDuration(oauth.MaxLeeway))
	}
	return nil
}
