package upstream

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// The bounds of what is kept of a person.
const (
	maxName    = 200 // characters (F54)
	maxPicture = 1024
	maxMethods = 16
	maxMethod  = 64
)

// names are the claims that are kept where they are texts, cleaned.
var names = []string{"name", "given_name", "family_name", "nickname", "preferred_username", "locale", "zoneinfo"}

// claimsOf returns what is kept of a person, in our names.
func (c *Config) claimsOf(f *facts, mail email) (map[string]any, error) {
	kept := make(map[string]any)
	for _, name := range names {
		if text := cleanName(f.text(name)); text != "" {
			kept[name] = text
		}
	}
	if picture := f.text("picture"); goodPicture(picture) {
		kept["picture"] = picture
	}
	if mail.address != "" {
		kept["email"], kept["email_verified"] = mail.address, mail.verified
	}
	for ours, theirs := range c.Claims {
		if value, ok := f.get(theirs); ok {
			kept[ours] = value
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encoding claims: %w", err)
	}
	if len(text) > tokens.MaxClaims {
		return nil, failed(login.FailedBroken, reasonTooLarge,
			fmt.Errorf("keeping claims: they take %d bytes, %d at most: let the provider send, or `claim` lines keep, fewer or shorter ones", len(text), tokens.MaxClaims))
	}
	return kept, nil
}

// cleanName takes out what has no place in a name: controls, and what turns the
// direction of text.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name)
	return strings.TrimSpace(cutText(name, maxName))
}

// goodPicture reports whether a picture is an address that a page may show.
func goodPicture(picture string) bool {
	u, err := url.Parse(picture)
	return err == nil && len(picture) <= maxPicture && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// methodsOf reads amr (RFC 8176), as far as it is of its form.
func methodsOf(value any) (list []string) {
	methods, ok := textsOf(value)
	if !ok {
		return nil
	}
	for _, m := range methods {
		if m != "" && len(m) <= maxMethod && len(list) < maxMethods && !strings.ContainsFunc(m, func(r rune) bool { return r <= ' ' || r > '~' }) {
			list = append(list, m)
		}
	}
	return list
}

// acrOf returns what the acr of a provider is called here; "" for one that is not believed (H3).
func (c *Config) acrOf(theirs string) string {
	var found []string
	for ours, name := range c.ACRs {
		if name == theirs && theirs != "" {
			found = append(found, ours)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}

// arrive makes an Arrival of the facts, before anything is asked of it.
func (c *Config) arrive(f *facts) (*login.Arrival, email, error) {
	id, err := c.idOf(f)
	if err != nil {
		return nil, email{}, err
	}
	mail := c.emailOf(f)
	claims, err := c.claimsOf(f, mail)
	if err != nil {
		return nil, mail, err
	}
	who := &login.Arrival{
		ID:            id,
		Claims:        claims,
		Groups:        c.groups(f),
		GroupsUnknown: f.groupsUnknown || f.infoLost() && len(c.GroupsClaims) > 0, // they are the union (F29)
		AuthTime:      timeOf(f.token["auth_time"]),
		ACR:           c.acrOf(textOf(f.token["acr"])),
		AMR:           methodsOf(f.token["amr"]),
	}
	if sub := f.text("sub"); goodID(sub) {
		who.ProviderSubject = sub
	}
	if sid := textOf(f.token["sid"]); goodID(sid) && !notASession(sid) {
		who.ProviderSession = sid
	}
	return who, mail, nil
}
