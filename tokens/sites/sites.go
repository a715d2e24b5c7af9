// Package sites holds what the guard of a site and the authorization server say to
// each other about people's sessions there. It does nothing itself.
//
// Begin reading at Session.
package sites

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// clientPrefix begins the client_id of a site. No configured client can have it.
const (
	clientPrefix = "site|"
	keysSuffix   = "|keys"
)

// CallbackPath is where the authorization server answers, on the origin of the site.
const CallbackPath = "/.gatehouse/callback"

// UseSession is what the cookie of a session is sealed for, at the origin of its site.
const UseSession = "session"

// UsePerson is what the mark of a person is sealed for, at the origin of a site.
const UsePerson = "person"

// KeyPrefix begins an app key.
const KeyPrefix = "gk1."

// ClientID names the site at an origin as a client: in tokens, at /account, and in lists
// of grants.
func ClientID(origin string) string { return clientPrefix + origin }

// KeysID names the app keys of a site as a client.
func KeysID(origin string) string { return clientPrefix + origin + keysSuffix }

// OriginOf returns the origin of the site that a client_id names, and whether it does.
func OriginOf(clientID string) (origin string, ok bool) {
	origin, ok = strings.CutPrefix(clientID, clientPrefix)
	return strings.TrimSuffix(origin, keysSuffix), ok
}

// IsClient reports whether a client_id is a site's.
func IsClient(clientID string) bool { return strings.HasPrefix(clientID, clientPrefix) }

// Rules are what a guard wants of a sign-in, beside that there is one.
type Rules struct {
	Logins []string      `json:"l,omitempty"` // names of logins whose people may come in; none for all
	ACRs   []string      `json:"a,omitempty"` // one of them; none for any
	MaxAge time.Duration `json:"m,omitempty"` // since the person proved who they are; 0 for any
}

// Life is how long sessions of a site live.
type Life struct {
	Absolute time.Duration // from the sign-in on; more than 0
	Idle     time.Duration // since the last use; 0 for no such limit
}

// Request is what a guard sends a browser to the authorization server with.
type Request struct {
	Rules

	Origin       string // of the site
	Life         Life
	State        string // comes back as it is
	Challenge    string // S256 (RFC 7636 §4.2)
	OtherAccount bool   // the person wants to choose the account
	Keys         bool   // the site takes app keys, so that the person may make some
}

// Return is an answer of the authorization server that a browser has brought.
type Return struct {
	Origin   string
	Code     string
	Verifier string // of the Challenge
	Life     Life
	Replaces string // the cookie that the browser had before; "" for none
	Person   string // the mark of whom the browser has signed in before; "" for none
}

// Begun is a session that has begun.
type Begun struct {
	Cookie  string // that of the session
	Person  string // marks whose it is, for Return, when the session is long over
	Another bool   // another person than now was signed in by this browser before
}

// Session is what a node believes about one session of a site, or about an app key, until
// it asks the store again. Its fields never change.
type Session struct {
	// Claims are about the person and the session, in the form of an access token's: sub,
	// auth_time, acr, sid, the claims of the person's login, and groups. An address is
	// among them only where it is verified.
	Claims *verify.Claims
	Login  string    // the name of the login by which the person came
	Begun  time.Time // when the session began, by the store's clock
	Ends   time.Time // unless it is used before, by the store's clock
	Asked  time.Time // when the store said so, by the store's clock
	Key    bool      // it is an app key's
	// Token mints an access token of the person for an API, with those of the scopes that
	// they have, and says until when it is good.
	Token func(ctx context.Context, api string, scopes []string) (token string, expires time.Time, err error)
}
