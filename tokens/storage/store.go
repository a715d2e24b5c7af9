// Package storage is the language of the stores: what a Store must do, the records
// and ids that it is given, and Decide, the decision table of refresh token
// rotation. It uses the standard library alone and knows no protocol: a store
// needs nothing else of Gatehouse, and storetest holds each store to it.
//
// Begin reading at Store, then Decide.
package storage

import (
	"context"
	"errors"
	"time"
)

// Store keeps what must outlive a request. It makes few, whole decisions: each
// method is atomic, has its effect durably before it returns, and is
// idempotent for a repeated Attempt. An error means only that the store is
// broken or out of reach and that the caller knows nothing (fail closed); every
// other end of a call is an outcome. What an outcome means is the Issuer's business.
//
// Time is the store's: a deciding call returns the time by which it decided,
// and tokens made after it are dated by that. Times are rounded down to
// milliseconds, limits to seconds.
//
// All state of one user is kept under the UserTag and can be read and changed
// in one atomic step. No raw token, code or session key ever reaches a Store.
type Store interface {
	Families
	Sessions
	Upstreams
	Index
	Outbox
	Codes
	Consents
	Devices
	Denials
	Feed
	KeyStore
	Users
	Aliases
	Transfers
	Assertions
	Histories
	Documents
	Pulse

	// Open opens the store or returns why an operator must act: ErrWrongSecret,
	// an *OtherIssuerError, or an error that names the file or address and the fix. It is called
	// before any other method; again, it only applies the new OpenRequest.
	Open(ctx context.Context, r OpenRequest) (OpenResult, error)
	// Close releases the store. Calls under way end first.
	Close() error
}

// EndedNothing marks the error of a call that has ended nothing, whatever else
// is not known of it: it was not run, or was one that asks before it ends
// something. Then what is held about denials is as true as before.
func EndedNothing(err error) error { return endedNothingError{err} }

type endedNothingError struct{ error }

func (e endedNothingError) Unwrap() error { return e.error }

// HasEndedNothing reports whether an error is marked by EndedNothing.
func HasEndedNothing(err error) bool {
	_, ok := errors.AsType[endedNothingError](err)
	return ok
}

// ErrWrongSecret is returned by Open when the store belongs to gateways with another secret.
var ErrWrongSecret = errors.New("the store was written under another secret: configure the same `secret` on every gateway that shares it, or keep the old one as a second value")

// OpenRequest says under which secrets, and for which issuer, a store is opened.
type OpenRequest struct {
	// Secrets are the identifiers (not the values) of the configured secrets, the minting one first.
	Secrets [][16]byte
	// Issuers are the issuer and, while its URL changes, the one that it had
	// before. The store belongs to the issuers that it was last opened for, and
	// opens for those that share one with them.
	Issuers []string
	// TokenLifetime is the longest access token lifetime of this
	// configuration; the store remembers the longest that it was ever opened with.
	TokenLifetime time.Duration
	// Transfer opens only a store that is there, to export it or to take the
	// export back, and one that is stopped, too. ErrNoStore if there is none.
	Transfer bool
	// Expected says that the store must have been there before, as its generated
	// secret was: one that is empty was lost.
	Expected bool
}

// OpenResult is what a store knows of itself.
type OpenResult struct {
	New           bool          // this opening has begun it
	Born          time.Time     // when this store was first opened
	TokenLifetime time.Duration // the longest access token lifetime ever used with it
	// Secrets are the identifiers that it was opened with before: what to open
	// it with again when the new ones turn out not to open the signing keys.
	Secrets [][16]byte
	Issuers []string // that it was opened for before
}

// Families decides about refresh token families and keeps their grants.
type Families interface {
	// CreateFamily writes a new family, and ends the oldest live ones of the
	// same user and client (ClientTag.Together) beyond MaxActive, and the oldest of the user beyond
	// MaxFamilies, in one step. Families that are dead at that time do not count.
	// None is created when the id was ended before (its code was used twice).
	CreateFamily(ctx context.Context, r CreateRequest) (CreateResult, error)
	// Rotate applies Decide to one family, after comparing the profile's
	// fingerprint. On RotateReused it ends the family and denies its access
	// tokens in the same step. The same Attempt gets the same answer again, a kill included.
	// RotateReused may come beside an error: the family is ended, and it is not
	// certain that this outlives the loss of a server.
	Rotate(ctx context.Context, r RotateRequest) (RotateResult, error)
	// Unanswered tells that the client that presented a generation got no answer.
	// Where that was rotated, it counts as not answered from now on
	// (Family.Unanswered). Once it returns nil, that is certain.
	Unanswered(ctx context.Context, r UnansweredRequest) error
	// End ends what the request names, denies the access tokens of each family
	// ended until Now+DenyFor, and forgets the families. A family that does
	// not exist (yet) is denied all the same, so that it can't begin late.
	End(ctx context.Context, r EndRequest) (EndResult, error)
	// ListFamilies returns the live families of a user, in order of Created.
	ListFamilies(ctx context.Context, user UserTag) ([]Family, error)
	// LiveFamily returns one family; found is false when it does not live.
	LiveFamily(ctx context.Context, user UserTag, id FamilyID) (f Family, found bool, err error)

	// PutGrant keeps the text of a grant under its content hash until
	// Now+keep at least, and for good for a keep of 0. A grant that is there is
	// only kept longer.
	PutGrant(ctx context.Context, id GrantID, text []byte, keep time.Duration) error
	// Grant returns the text, or nil if there is none (any more).
	Grant(ctx context.Context, id GrantID) ([]byte, error)
	// Grants is Grant for several, asked for at once.
	Grants(ctx context.Context, ids []GrantID) ([][]byte, error)
}

// CreateRequest asks for a new family.
type CreateRequest struct {
	User         UserTag
	ID           FamilyID
	Client       ClientTag
	Grant        GrantID
	Session      SessionID
	Begun        time.Time     // the session's; a login at or before a sign-out of the user, or the end of Everyone, begins nothing
	AuthTime     time.Time     // the session's; kept for the tokens, and compared with nothing
	Taken        time.Time     // when its code was taken (TakeResult.Now); zero for a family that comes of none
	Issued       time.Time     // how its code was dated then (TakeResult.IssueAt); at or before a withdrawal nothing begins. Zero as Taken
	Lifetime     time.Duration // absolute, 0 for none
	IdleLifetime time.Duration // 0 for none
	MaxActive    int           // live families per user and client, or all clients that it is bounded Together with; at least 1
	BegunAfter   time.Time     // the client's watermark: Created and IssueAt lie after it
	DenyFor      time.Duration // how long access tokens of an evicted family are denied
	Attempt      Attempt
}

// CreateResult is the answer to a CreateRequest.
type CreateResult struct {
	// Created is false when the family, or the session or login that it comes
	// from, had been ended before it began, or the id is in use by another attempt.
	Created bool
	Family  Family
	Evicted []FamilyID
	// IssueAt dates the access token: the store's time, or one second after a
	// sign-out of the same user in that very second. It lies MostAhead ahead of
	// the store's clock at most.
	IssueAt time.Time
}

// EndScope says how much an EndRequest ends.
type EndScope uint8

// The scopes of End.
const (
	EndFamily   EndScope = iota + 1 // one family
	EndSession                      // one session, those with the same Root, and the families begun in them
	EndUser                         // all sessions, codes and families of the user, and every access token issued until now (by UserDenials.Before)
	DisableUser                     // as EndUser, and nothing begins any more until Users.Enable
	// EndConsent withdraws the user's consent to one client: the consent, its families, codes and
	// access tokens until now. It reaches what was put, taken or issued at or before EndResult.Now.
	EndConsent
)

// EndRequest ends grants of one user.
type EndRequest struct {
	User    UserTag
	Scope   EndScope
	Family  FamilyID  // with EndFamily
	Session SessionID // with EndSession, where it may be a Root
	Client  ClientTag // with EndConsent
	// Before limits EndSession and EndUser to sessions that were begun until then, in seconds, and
	// what came of them whenever it did: a session begun since goes on, and what was begun since that. It is zero for no limit, and so is the store's own time, or a later one.
	Before  time.Time
	Given   bool // with EndSession: what a provider gave at its login is returned
	Tell    bool // with EndFamily: its client is to be told (Outbox), unless more of it lives in that session
	DenyFor time.Duration
	Attempt Attempt
}

// EndResult is the answer to an EndRequest.
type EndResult struct {
	Families []FamilyID // that lived until now
	// New is false when all that the request names had been ended before, by
	// another call. The end of a user without Before is always new: it reaches what was issued since. So is
	// EndConsent where there was a consent or a family.
	New bool
	// Now is the store's time. With EndUser it is never before UserDenials.Before.
	Now time.Time
	// Told is how many logouts were put into the Outbox, and Dropped how many had to go for them.
	Told, Dropped int
	// Given is what a provider gave, with EndRequest.Given. The same Attempt does not get it again.
	Given GivenAtLogin
}

// GivenAtLogin is what a provider gave at a login, as RecheckLease has it.
type GivenAtLogin struct {
	Sealed  []byte // nil for nothing
	Seq     uint32
	Session SessionID
}

// Session is a person's login at the gateway (single sign-on).
type Session struct {
	ID   SessionID
	User UserTag
	// Root is the first of the sessions of this browser that replaced one
	// another. It is the session of the tokens, codes and families that come of any of them.
	Root SessionID
	ACR  string // how the person proved who they are
	// AMR are the ways in which they did, by RFC 8176 §2: MaxAMR bytes with a space
	// between each two.
	AMR []string
	// Begun is when the session began, by the store's clock: every end is
	// compared with it. Seconds.
	Begun time.Time
	// AuthTime is when the person proved who they are, for the tokens alone. It
	// is never after Begun, and zero where a provider did not say. Seconds.
	AuthTime time.Time
	Expires  time.Time // seconds; absolute
	Used     time.Time // seconds; last use, exact to a minute
	// EndedOthers is set by CreateSession when the password was changed, so that
	// all that the user had before has ended.
	EndedOthers bool
	// Told and Dropped are set by CreateSession, as those of EndResult.
	Told, Dropped int
	// Consent is set by Sessions.Session: what the user has agreed to at the client that was
	// asked for; zero for nothing.
	Consent Consent
	// OldFingerprint is set by CreateSession, which has begun nothing then: the login has
	// the fingerprint that is held.
	OldFingerprint bool
}

// AtLogin is the AuthTime of a SessionRequest for a person who has just proved who they
// are, here: the session's AuthTime is its Begun then.
var AtLogin = Forever

// Sessions keeps login sessions and the profile that belongs to their user.
type Sessions interface {
	// CreateSession writes the session and the user's profile in one step (of what is
	// known of the person, the newer of what is there and what comes) and
	// ends the session Replaces, if that is not zero, and the least used beyond
	// MaxSessions. It returns the session
	// with Begun (one second after a sign-out or Everyone's end in that very second) and
	// Expires set, and with the Root of the one that it replaces, where that
	// lives: after signing in again in a browser, a person can still sign out of
	// all that came before. When the profile had another fingerprint (the password was
	// changed), all that the user had before ends, as by EndUser: else this
	// login would make the old ones good again; consents end, too. That other fingerprint is held for Hold:
	// a login that has it again meanwhile comes from a node that is behind, or from somebody
	// who knows the old password, and gets no session: OldFingerprint alone is set. A
	// disabled user gets none: the zero Session.
	CreateSession(ctx context.Context, r SessionRequest) (Session, error)
	// Session returns a live session and its user's profile and marks it
	// used; found is false when it is unknown, ended, also with Everyone's, or
	// unused for idle (0: no such limit). It comes with the user's consent to a client, where
	// that is not zero.
	Session(ctx context.Context, user UserTag, id SessionID, idle time.Duration, client ClientTag) (s Session, profile Profile, found bool, err error)
	// Profile returns the profile of a user; zero for none. A person's record that
	// should be there and is not is an error, here as in every call that needs it.
	Profile(ctx context.Context, user UserTag) (Profile, error)
}

// SessionRequest asks for a new session.
type SessionRequest struct {
	User       UserTag
	ID         SessionID
	Lifetime   time.Duration
	Profile    Profile
	Replaces   SessionID
	AuthTime   time.Time     // AtLogin, or when a provider says that it was, zero if it does not; one after Begun is Begun
	BegunAfter time.Time     // Everyone's watermark: Begun lies after it
	ACR        string        // kept with the session
	AMR        []string      // kept with the session; the caller bounds it
	Upstream   []byte        // what a provider gave at this login, sealed (Upstreams); nil for nothing
	DenyFor    time.Duration // how long access tokens are denied that a change of password ends
	Hold       time.Duration // for how long the fingerprint that this login replaces is held; 0 for not at all
}

// Codes keeps authorization codes.
type Codes interface {
	// PutCode keeps a code until Now+Lifetime, and says whether it did: a
	// session that has ended meanwhile, with Everyone's too, gets none. A code that is there stays as
	// it is: putting it again never revives a spent one. Of more than
	// MaxCodeBodies codes of a user those go that end first. In the same step it writes
	// the consent that came with the code, or marks the one that it rests on as used. The code
	// is dated after a withdrawal (EndConsent) in that very second.
	PutCode(ctx context.Context, r PutRequest) (PutOutcome, error)
	// TakeCode takes a code: of any number of calls, on any number of nodes,
	// one gets CodeTaken. Spent codes are remembered for DenyFor, as long as
	// they are not more than MaxCodes of a user. A code put at or before a sign-out
	// of its user, or a withdrawal of consent to the client, or whose session was ended since, is CodeUnknown.
	TakeCode(ctx context.Context, r TakeRequest) (TakeResult, error)
}

// PutOutcome is what became of a code that was put.
type PutOutcome uint8

// The outcomes of PutCode.
const (
	PutNothing      PutOutcome = iota // the session is over
	PutKept                           // the code is there, by this call or one before
	PutOtherConsent                   // the user's consent is not the one of RestsOn any more: nothing is written
)

// PutRequest asks to keep a code.
type PutRequest struct {
	User    UserTag
	ID      CodeID
	Session SessionID // that it was issued in; must be live
	// Begins is the session that what comes of the code belongs to; zero for
	// Session itself. The code then outlives the end of Session.
	Begins   SessionID
	Owner    [16]byte // returned with CodeSpent: by it the core knows whose the second use is
	Body     []byte
	Lifetime time.Duration
	Client   ClientTag // that the code is for
	// RestsOn is the Agreed of the consent that was looked at before the code was made; zero where
	// there was none. A withdrawal in between, on any node, is seen by it. Nothing
	// is compared where it is zero and there is no Consent.
	RestsOn GrantID
	// Consent is what the user has agreed to now, to be kept in the place of RestsOn, nil for
	// nothing new. Its Client and times are set by the store.
	Consent *Consent
}

// TakeRequest presents a code.
type TakeRequest struct {
	User       UserTag
	ID         CodeID
	Client     ClientTag
	BegunAfter time.Time // the client's watermark: IssueAt lies after it
	// Note is for how long the client is noted for the code's session, as one to tell of its
	// end (Outbox); 0 for not at all.
	Note    time.Duration
	DenyFor time.Duration
	Attempt Attempt
}

// CodeOutcome is what became of a presented code.
type CodeOutcome uint8

// The outcomes of TakeCode.
const (
	CodeUnknown CodeOutcome = iota // never put, expired, or forgotten
	CodeTaken                      // by this attempt
	CodeSpent                      // by an earlier one
)

// TakeResult is the answer to a TakeRequest.
type TakeResult struct {
	Outcome CodeOutcome
	Body    []byte    // CodeTaken
	Owner   [16]byte  // CodeSpent: as put
	Mine    bool      // CodeSpent: by this very attempt, and its body is forgotten
	Profile Profile   // CodeTaken: the user's
	TakenAt time.Time // CodeTaken, CodeSpent: milliseconds
	Now     time.Time // milliseconds
	IssueAt time.Time // as CreateResult.IssueAt
	// Ended is Everyone's watermark, with CodeTaken: by a login at or before it
	// nothing begins.
	Ended time.Time
}

// KeyStore keeps the sealed signing keys as one versioned value.
type KeyStore interface {
	// Keys returns the value and its version; nil and 0 in a new store.
	Keys(ctx context.Context) (sealed []byte, version uint64, err error)
	// SwapKeys writes the value if the version is still the given one, and
	// reports whether it did. Of two nodes that rotate at once, one wins.
	SwapKeys(ctx context.Context, version uint64, sealed []byte) (swapped bool, err error)
	// Now returns the store's time.
	Now(ctx context.Context) (time.Time, error)
}
