package tokens

import (
	"context"
	"crypto/hmac"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// An app key lets a program in to one site in the name of a person: a family as that of a
// session, which no sign-out of a browser ends. It is shown once.

const (
	// siteKeyLifetime is how long an app key is good for.
	siteKeyLifetime = 365 * 24 * time.Hour
	// maxSiteKeys is how many app keys of one site a person may have, the oldest out.
	maxSiteKeys = 20
	// MaxKeyName is how long the name of an app key may be, in bytes.
	MaxKeyName = 64
)

func keyTerms(origin string) siteTerms {
	return siteTerms{Origin: origin, Life: sites.Life{Absolute: siteKeyLifetime}, key: true}
}

// NewSiteKey makes an app key of a person for a site that takes such, and where they have a
// session. Errors: InvalidRequest for a name that cannot be shown, AccessDenied for another site.
func (i *Issuer) NewSiteKey(ctx context.Context, l *Login, origin, name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > MaxKeyName || !utf8.ValidString(name) || strings.ContainsFunc(name, isControl) {
		return "", oauth.BadRequest("The name of an app key has 1 to %d bytes and no control characters.", MaxKeyName)
	}
	may, err := i.KeySites(ctx, l)
	if err != nil {
		return "", err
	}
	if !slices.Contains(may, origin) {
		return "", oauth.Refuse(oauth.AccessDenied, oauth.ReasonNotAllowed, "Sign in to the site first.")
	}
	c := keyTerms(origin).client()
	grant := storage.Grant{ACR: l.Session.ACR, Site: origin, Key: name}
	if err := i.keepGrant(ctx, c, grant); err != nil {
		return "", err
	}
	key, err := i.drawCode(func(key [16]byte) storage.CodeKey { return key })
	if err != nil {
		return "", err
	}
	code := storage.CodeKey(key)
	from := oauth.RequesterFrom(ctx)
	created, err := i.createFamily(ctx, c, l.Session.User, code.FamilyKey(), codeBody{
		Client: c.ID, Grant: grant, Begun: l.Session.Begun.Unix(), AuthTime: unixOrZero(l.Session.AuthTime), Session: code.ID().SessionID(),
		Address: history.Clip(from.Address), Device: history.Clip(name),
	}, storage.TakeResult{}, i.state.NewAttempt())
	if err != nil {
		return "", err
	}
	i.observe(ctx, oauth.Event{
		Kind: oauth.EventSiteSession, Outcome: oauth.OutcomeKey, Client: c.ID, Subject: l.Profile.Subject, User: l.Session.User, Family: created.Family.ID,
	})
	t := refreshToken{user: l.Session.User, family: code.FamilyKey(), grant: created.Family.Grant}
	return i.Sites().writeKey(origin, t)
}

// useSiteKey is what the secret of the store makes a key for that app keys are authenticated
// with. It is part of their format.
const useSiteKey = "gatehouse/v1/site/key"

// keyMAC authenticates an app key for an origin: by the secret of the store, so that a program
// that keeps one is not asked for another whenever `secret` changes.
func (s Sites) keyMAC(origin string, name []byte) (mac [secrets.MACSize]byte, err error) {
	key, err := secrets.NewMACKey(s.issuer.state.Keys.Lasting(), useSiteKey)
	if err != nil {
		return mac, oauth.Unavailable(err) // the store is not open yet
	}
	return key.Sum(name, []byte(origin)), nil
}

func (s Sites) writeKey(origin string, t refreshToken) (string, error) {
	name := siteName(t)
	mac, err := s.keyMAC(origin, name)
	if err != nil {
		return "", err
	}
	return sites.KeyPrefix + storage.Encode(append(name, mac[:]...)), nil
}

// readKey reads an app key that was made for an origin.
func (s Sites) readKey(origin, key string) (t refreshToken, ok bool) {
	text, found := strings.CutPrefix(key, sites.KeyPrefix)
	b, err := decodeSealed(text)
	if !found || err != nil || len(b) != siteNameSize+secrets.MACSize {
		return t, false
	}
	mac, err := s.keyMAC(origin, b[:siteNameSize])
	if err != nil || !hmac.Equal(mac[:], b[siteNameSize:]) {
		return t, false
	}
	return readSiteName(b, sites.KeysID(origin)), true
}

// IsKey reports whether an app key was made for an origin here, without asking whether it lives.
func (s Sites) IsKey(origin, key string) bool {
	_, ok := s.readKey(origin, key)
	return ok
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f || c == utf8.RuneError }

// KeySites returns the origins of the sites for which a person can make app keys, in order.
func (i *Issuer) KeySites(ctx context.Context, l *Login) ([]string, error) {
	families, err := i.Grants(ctx, l.Profile.Subject)
	if err != nil {
		return nil, err
	}
	var origins []string
	for _, f := range families {
		if _, configured := i.clients.Tagged(f.Client); configured {
			continue
		}
		grant, _, err := i.state.Grants.Look(ctx, f.Grant)
		if err != nil {
			return nil, oauth.Unavailable(err)
		}
		if grant.Keys && !slices.Contains(origins, grant.Site) {
			origins = append(origins, grant.Site)
		}
	}
	slices.Sort(origins)
	return origins, nil
}

// Key asks the store about an app key, as Session does about a cookie.
func (s Sites) Key(ctx context.Context, origin, key string) (*sites.Session, error) {
	t, ok := s.readKey(origin, key)
	if !ok {
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonBadMAC, deadSiteSession)
	}
	return s.issuer.siteSession(ctx, keyTerms(origin), t, true)
}
