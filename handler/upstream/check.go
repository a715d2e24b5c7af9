package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// HS256 is the algorithm of ID tokens that are signed with the client secret (RFC 7518 §3.2).
const HS256 jose.Algorithm = "HS256"

// check makes sure that the configuration can work, and names what cannot and the fix.
func (c *Config) check() error {
	switch {
	case c.Name == "" || c.Name == "site" || strings.ContainsAny(c.Name, "|\x00"):
		return fmt.Errorf("login: the name %q is not for logins: choose another, without a bar", c.Name)
	case c.ClientID == "":
		return fmt.Errorf("login %s: client_id is missing: it is what the provider calls this gateway", c.Name)
	case c.Issuer == "":
		return fmt.Errorf("login %s: the issuer is missing: it is in the provider's /.well-known/openid-configuration", c.Name)
	case strings.Contains(c.Issuer, tenantMark) != (len(c.Tenants) > 0):
		return fmt.Errorf("login %s: tenants and an issuer with %s go together: name the tenants that may come", c.Name, tenantMark)
	}
	for option, address := range map[string]string{
		"issuer": c.Issuer, "endpoint authorization": c.Endpoints.Authorization, "endpoint token": c.Endpoints.Token, "endpoint userinfo": c.Endpoints.Userinfo,
		"endpoint jwks": c.Endpoints.JWKS, "endpoint end_session": c.Endpoints.EndSession, "endpoint graph": c.Endpoints.Graph,
	} {
		if err := c.checkAddress(address); address != "" && err != nil {
			return fmt.Errorf("login %s: %s: %w", c.Name, option, err)
		}
	}
	if err := errors.Join(c.checkClient(), c.checkAlgorithms(), c.checkDomains()); err != nil {
		return fmt.Errorf("login %s: %w", c.Name, err)
	}
	return nil
}

// checkAddress refuses what this gateway must not ask, nor send a browser to (M19).
func (c *Config) checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return fmt.Errorf("%s is not an https URL", oauth.PrintableURI(address))
	case u.Scheme == "https" || u.Scheme == "http" && c.clear():
		return nil
	}
	return fmt.Errorf("%s is not an https URL; `insecure` allows http in a private network", oauth.PrintableURI(address))
}

// clear reports whether the provider may be reached by http.
func (c *Config) clear() bool {
	u, err := url.Parse(c.Issuer)
	return c.Insecure || err == nil && u.Scheme == "http" && oauth.IsLoopbackHost(u.Hostname())
}

// home is the host of the issuer.
func (c *Config) home() string {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func (c *Config) checkClient() error {
	switch {
	case c.ClientAuth == AuthPrivateKeyJWT && c.ClientKey == nil:
		return errors.New("client_auth private_key_jwt needs a client_key")
	case (c.ClientAuth == AuthBasic || c.ClientAuth == AuthPost) && c.ClientSecrets == nil:
		return errors.New("client_auth " + string(c.ClientAuth) + " needs a client_secret")
	case !slices.Contains([]ClientAuth{"", AuthBasic, AuthPost, AuthPrivateKeyJWT, AuthNone}, c.ClientAuth):
		return fmt.Errorf("client_auth %s is not known: basic, post, private_key_jwt or none", c.ClientAuth)
	case c.ResponseMode != "" && c.ResponseMode != "query" && c.ResponseMode != "form_post":
		return fmt.Errorf("response_mode %s is not known: query or form_post", c.ResponseMode)
	}
	return nil
}

func (c *Config) checkAlgorithms() error {
	for _, a := range c.Algorithms {
		switch {
		case a == HS256 && (len(c.Algorithms) > 1 || c.ClientSecrets == nil):
			return errors.New("algorithms HS256 stands alone, and needs a client_secret, which is its key")
		case a != HS256 && !a.Valid():
			return fmt.Errorf("algorithms: %s is not known: write ES256, RS256 …", a)
		}
	}
	return nil
}

// checkDomains also writes the domains as they are compared.
func (c *Config) checkDomains() error {
	c.EmailDomains = slices.Clone(c.EmailDomains)
	for i, domain := range c.EmailDomains {
		folded, err := foldDomain(domain)
		if err != nil {
			return fmt.Errorf("email_domains: %q is not a domain", domain)
		}
		c.EmailDomains[i] = folded
	}
	c.Allow = slices.Clone(c.Allow)
	for i, rule := range c.Allow {
		if rule.Kind < AllowAnyone || rule.Kind > AllowClaim {
			return fmt.Errorf("allow: rule %d is of no kind", i+1)
		}
		if rule.Kind > AllowEmailVerified && len(rule.Values) == 0 {
			return fmt.Errorf("%s: it names nothing", rule)
		}
		if rule.Kind != AllowEmailDomain {
			continue
		}
		c.Allow[i].Values = slices.Clone(rule.Values)
		for j, value := range rule.Values {
			domain, below := strings.CutPrefix(value, "*.")
			folded, err := foldDomain(domain)
			if err != nil {
				return fmt.Errorf("allow email_domain: %q is not a domain", value)
			}
			if below {
				folded = "*." + folded
			}
			c.Allow[i].Values[j] = folded
		}
	}
	return nil
}

// foldDomain writes a domain in the one way in which domains are compared: small ASCII
// letters, A-labels (RFC 5890 §2.3.2.1).
func foldDomain(domain string) (string, error) {
	folded, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", err
	}
	if folded == "" || len(folded) > 253 || strings.HasPrefix(folded, ".") || strings.HasSuffix(folded, ".") || strings.Contains(folded, "..") {
		return "", errors.New("reading domain: it is malformed")
	}
	return folded, nil
}
