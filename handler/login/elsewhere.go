package login

import (
	"context"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Elsewhere is a Login at somebody else's identity provider: the browser goes there
// and comes back to a callback of ours. Its methods are safe for concurrent use.
type Elsewhere interface {
	Login
	// Begin returns the URL at the provider to send the browser to. It waits for no
	// network, but two seconds at most while nothing is known of the provider yet.
	// Errors: a *FailedError.
	Begin(d Departure) (string, error)
	// Finish checks what the provider has sent the browser back with, redeems its
	// code once, and says who has come. Errors: a *FailedError.
	Finish(ctx context.Context, d Departure, answer url.Values) (*Arrival, error)
	// Recheck asks the provider again about somebody who came by it, with the
	// refresh token that it gave, and whom its ID names. Errors: a *FailedError,
	// whose Failure is FailedGone where the provider says that the login is over
	// there, and FailedNotAllowed where an allow line does not hold any more. What stays
	// unclear after the provider has given new tokens, or is not to be believed, is a
	// Thin Arrival and no error: it holds the RefreshToken, and the one of before may
	// be good no more.
	Recheck(ctx context.Context, id, refreshToken string) (*Arrival, error)
	// Schedule says when to ask again, and how long to believe what it said.
	Schedule() Schedule
	// Domains are those of the e-mail addresses that this login may assert; none for any.
	Domains() []string
	// Trouble is why nobody can sign in here just now, for health and logs; nil for nothing.
	Trouble() error
	// Away is why it seems that the provider cannot be reached, by what was found last in
	// the background; nil where it can. Who leaves for it may find it back all the same.
	// Errors: a *FailedError.
	Away() error
}

// Rebinder is a Login whose people an operator can say to be those of another provider.
type Rebinder interface {
	Login
	// FingerprintOf returns what Fingerprint returned while the login had another
	// issuer and other subject claims; none for those that it has now.
	FingerprintOf(issuer string, subject []string) storage.Fingerprint
}

// Schedule says how long a login's facts are believed.
type Schedule struct {
	Recheck         time.Duration // the provider is asked again when it was longer ago; 0 never
	Grace           time.Duration // how long facts serve that could not be checked
	SessionLifetime time.Duration // how long a sign-in lasts; 0 as any other
}

// Departure is what a browser takes along to a provider, and what its return is
// checked against. The caller keeps it, sealed, in the browser.
type Departure struct {
	RedirectURI string    `json:"u"` // our callback, as registered there
	State       string    `json:"s"` // 22 to 128 characters of base64url
	Nonce       string    `json:"n"`
	Verifier    string    `json:"v"` // of PKCE (RFC 7636)
	At          time.Time `json:"t"` // when it began, by our clock
	Asked       Asked     `json:"a"`
}

// Asked is what is asked of the provider beyond who somebody is. What it cannot be
// asked by, and what comes back otherwise, is a FailedError with FailedNotMet.
type Asked struct {
	Again         bool     `json:"p,omitempty"` // the person has to prove it anew: prompt=login
	SelectAccount bool     `json:"c,omitempty"` // a hint, which is never checked: prompt=select_account
	MaxAge        int      `json:"m,omitempty"` // seconds since the person proved it, at most; see HasMaxAge
	HasMaxAge     bool     `json:"h,omitempty"`
	ACRs          []string `json:"r,omitempty"` // one of these, in our names; none for any
	LoginHint     string   `json:"l,omitempty"`
	UILocales     string   `json:"i,omitempty"`
	// ID says that a certain person has to come, for step-up; "" for anybody. It is the ID
	// of their subject: whether it was they is checked by who knows of aliases
	// (tokens.Provided.Only).
	ID string `json:"w,omitempty"`
}

// Arrival is somebody who has come back from a provider, or whom it was asked about again.
type Arrival struct {
	// ID is the second part of our subject: 1 to 255 bytes without controls.
	ID string
	// Claims are what the provider says of the person, in our names, as far as
	// they are kept: email with email_verified, name, picture … They are at
	// most tokens.MaxClaims as JSON.
	Claims map[string]any
	// Thin says that a recheck brought no claims: those of before stay.
	Thin bool
	// Groups are the groups as the provider names them. GroupsUnknown says that
	// it did not tell, which is not the same as none.
	Groups        []string
	GroupsUnknown bool
	// AuthTime is when the person proved it, by the provider; zero where it does not say.
	AuthTime time.Time
	ACR      string   // in our names; "" for none that is believed
	AMR      []string // RFC 8176
	// RefreshToken is what Recheck takes the next time; "" for none.
	RefreshToken string
	// IDToken is kept for the sign-out at the provider; "" where it is not needed.
	IDToken string
	// ProviderSubject and ProviderSession are its own `sub` and `sid`, by which
	// it tells of a sign-out; "" where it tells of none, or the ID says as much.
	ProviderSubject, ProviderSession string
}

// Failure is why somebody does not come in by a provider.
type Failure uint8

// The failures of an Elsewhere.
const (
	// FailedDown: the provider cannot be used now, or does not answer as it should.
	FailedDown Failure = iota + 1
	// FailedCancelled: the person, or the provider for them, said no (access_denied).
	FailedCancelled
	// FailedAgain: begin again, the way there is spent (an expired page, a code used before).
	FailedAgain
	// FailedForged: what came is not an answer to this departure.
	FailedForged
	// FailedNotAllowed: they are who they are, and may not come in.
	FailedNotAllowed
	// FailedNotMet: not with what was asked for (prompt, max_age, acr_values).
	FailedNotMet
	// FailedBroken: the provider refuses this gateway, not the person: an operator has to act.
	FailedBroken
	// FailedGone: Recheck: the provider says that what it gave is good no more.
	FailedGone
	// FailedBusy: too many at once, or too many failures from one address.
	FailedBusy
)

// FailedError is why somebody does not come in by a provider.
type FailedError struct {
	Failure Failure
	// Account and ID name who came, for them to read: FailedNotAllowed.
	Account, ID string
	// Rule is the allow line that does not hold: FailedNotAllowed.
	Rule string
	// Reason is of a closed set, for metrics: "nonce", "issuer", "audience" …
	Reason string
	// Cause is for the log. It holds no token and no code.
	Cause error
	// After is how long to wait: FailedBusy.
	After time.Duration
}

// Error says why, without secrets.
func (e *FailedError) Error() string {
	text := "signing in by the provider: " + e.Reason
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *FailedError) Unwrap() error { return e.Cause }
