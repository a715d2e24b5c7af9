package upstream

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// again is the max_age that goes with prompt=login: a provider owes an auth_time only to
// who has sent one (OpenID Connect Core §2), and some ask for ever at 0 (F69).
const again = 60

// authorizationURL makes the address of the authorization request (RFC 6749 §4.1.1).
func (c *Config) authorizationURL(doc *metadata, d login.Departure) (string, error) {
	u, err := url.Parse(doc.Authorization)
	if err != nil {
		return "", failed(login.FailedDown, reasonNoDiscovery, fmt.Errorf("reading authorization endpoint: %w", err))
	}
	q := u.Query()
	for _, p := range c.Parameters {
		q.Set(p.Name, p.Value)
	}
	q.Set("response_type", "code")
	q.Set("client_id", c.ClientID)
	q.Set("redirect_uri", d.RedirectURI)
	q.Set("scope", strings.Join(c.Scopes, " "))
	q.Set("state", d.State)
	if !c.NoNonce {
		q.Set("nonce", d.Nonce)
	}
	if c.challenges(doc) {
		sum := sha256.Sum256([]byte(d.Verifier))
		q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		q.Set("code_challenge_method", "S256")
	}
	if c.ResponseMode != "" && c.ResponseMode != "query" {
		q.Set("response_mode", c.ResponseMode)
	}
	if err := c.ask(q, d.Asked); err != nil {
		return "", err
	}
	// Apple does not take a plus for a blank.
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	return u.String(), nil
}

// ask adds what is asked of the provider, in its words (OpenID Connect Core §3.1.2.1).
// What is demanded and it cannot be asked for is refused, not left out (F68, F71).
func (c *Config) ask(q url.Values, asked login.Asked) error {
	maxAge := -1
	if asked.HasMaxAge {
		maxAge = asked.MaxAge
	}
	switch {
	case asked.HasMaxAge && c.NoMaxAge && maxAge > 0:
		return failed(login.FailedNotMet, reasonCannotAsk, fmt.Errorf("asking for max_age: the provider of %s does not know it", c.Name))
	case !asked.Again && maxAge != 0:
	case c.knowsPrompt("login"):
		addPrompt(q, "login")
		maxAge = again
	case !c.NoMaxAge:
		maxAge = 0
	default:
		return failed(login.FailedNotMet, reasonCannotAsk, fmt.Errorf("asking for a new sign-in: the provider of %s knows neither prompt=login nor max_age", c.Name))
	}
	if maxAge >= 0 && !c.NoMaxAge {
		q.Set("max_age", strconv.Itoa(maxAge))
	}
	if asked.SelectAccount {
		for _, prompt := range []string{"select_account", "login"} { // F59
			if c.knowsPrompt(prompt) {
				addPrompt(q, prompt)
				break
			}
		}
	}
	if asked.LoginHint != "" {
		q.Set("login_hint", asked.LoginHint)
	}
	if asked.UILocales != "" {
		q.Set("ui_locales", asked.UILocales)
	}
	return c.askACRs(q, asked.ACRs)
}

// askACRs asks for one of several acr, in the provider's words.
func (c *Config) askACRs(q url.Values, ours []string) error {
	var theirs []string
	for _, name := range ours {
		if value, ok := c.ACRs[name]; ok {
			theirs = append(theirs, value)
		}
	}
	if len(theirs) > 0 {
		q.Set("acr_values", strings.Join(theirs, " "))
	} else if len(ours) > 0 {
		return failed(login.FailedNotMet, reasonCannotAsk, fmt.Errorf("asking for an acr: login %s has no `acr` line for it", c.Name))
	}
	return nil
}

func (c *Config) knowsPrompt(prompt string) bool {
	return c.Prompts == nil || slices.Contains(c.Prompts, prompt)
}

// addPrompt adds a value to those that are there, as of a configured parameter.
func addPrompt(q url.Values, prompt string) {
	prompts := strings.Fields(q.Get("prompt"))
	if !slices.Contains(prompts, prompt) {
		q.Set("prompt", strings.Join(append(prompts, prompt), " "))
	}
}
