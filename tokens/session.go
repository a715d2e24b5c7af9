package tokens

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Login is a person's session at the gateway.
type Login struct {
	Session storage.Session
	Profile Profile
	// about is the client that Session.Consent is known of; zero for none.
	about storage.ClientTag
}

// SignIn begins a session for a person who has just proved who they are, and
// ends the session of the cookie that the browser sent before, if any, so that
// no session is fixed beforehand. What the same person's applications hold through
// the old one then belongs to the new one; another person is signed out, as by SignOut.
// It returns the value of the session cookie.
func (i *Issuer) SignIn(ctx context.Context, p Profile, replaces string) (*Login, string, error) {
	return i.beginSession(ctx, Provided{Profile: p, AuthTime: storage.AtLogin}, replaces)
}

// Provided is somebody for whom a provider vouches.
type Provided struct {
	Profile  Profile
	AuthTime time.Time     // when they proved it there; zero where the provider did not say
	Groups   []string      // as the provider names them
	Lifetime time.Duration // of the session; 0 is the configured one, which is never exceeded
	Given    *Given        // nil where the provider is never asked again
	// Session and ID are the provider's own names of the login and the person, by which it
	// tells of a sign-out; "" for none, and for an ID that the subject holds.
	Session, ID string
	// Only is the subject of who has to come, "" for anybody.
	Only string
}

// SignInProvided begins a session as SignIn does, for whom a provider has sent. Whom an
// operator has moved comes in as who they were. Errors: ErrAnotherPerson too.
func (i *Issuer) SignInProvided(ctx context.Context, in Provided, replaces string) (*Login, string, error) {
	in, err := i.known(ctx, in)
	if err != nil {
		return nil, "", err
	}
	return i.beginSession(ctx, in, replaces)
}

func (i *Issuer) beginSession(ctx context.Context, in Provided, replaces string) (*Login, string, error) {
	p, lifetime := in.Profile, i.cfg.SessionLifetime
	if in.Lifetime > 0 {
		lifetime = min(in.Lifetime, lifetime)
	}
	key, err := i.random16()
	if err != nil {
		return nil, "", err
	}
	acr, amr := p.ACR, fittingAMR(p.AMR)
	p.ACR, p.AMR, p.Groups = "", nil, i.cfg.People.Keep(p.Login, in.Groups) // acr and amr are of this login, not of the person
	if every, _ := i.schedule(p.Login); every > 0 {
		p.Checked = i.storeNow()
	}
	profile, err := p.record()
	if err != nil {
		return nil, "", err
	}
	ref := reference{user: storage.TagSubject(p.Subject), key: key}
	id := storage.SessionKey(key).ID()
	upstream, err := in.Given.seal(i.state.Secrets(), ref.user, id, 1)
	if err != nil {
		return nil, "", err
	}
	before, replaced := i.replaced(replaces, ref.user)
	marks, err := i.state.Denylist.MarksOf(ctx, storage.Everyone)
	if err != nil {
		return nil, "", err
	}
	// With another password the login ends what was before, which only the store can tell.
	expected := i.state.ExpectLogouts(ctx, ref.user)
	session, err := i.state.Store.CreateSession(ctx, storage.SessionRequest{
		User:       ref.user,
		ID:         id,
		Lifetime:   lifetime,
		Profile:    profile,
		Replaces:   replaced,
		AuthTime:   in.AuthTime,
		BegunAfter: marks.Everyone,
		ACR:        acr,
		AMR:        amr,
		Upstream:   upstream,
		DenyFor:    i.state.DenyFor(),
		Hold:       i.hold(ref.user),
	})
	expected.Ended(ctx, session.Told, session.Dropped, err)
	if err := i.state.Denylist.Settle(ctx, ref.user, session.EndedOthers, err); err != nil {
		return nil, "", err
	}
	if err := i.refusedLogin(ctx, p.Subject, ref.user, session); err != nil {
		return nil, "", err
	}
	if err := i.noteNames(ctx, in, session); err != nil {
		return nil, "", err
	}
	if err := i.endReplaced(ctx, before); err != nil {
		return nil, "", err
	}
	i.observe(ctx, oauth.Event{Kind: oauth.EventLogin, Outcome: oauth.OutcomeOK, Subject: p.Subject, User: ref.user})
	return &Login{Session: session, Profile: p}, ref.text(i.state.Secrets(), secrets.PurposeSession), nil
}

// refusedLogin is why a login has begun no session.
func (i *Issuer) refusedLogin(ctx context.Context, subject string, user storage.UserTag, session storage.Session) error {
	if session.OldFingerprint {
		i.observe(ctx, oauth.Event{Kind: oauth.EventLogin, Outcome: oauth.OutcomeFailed, Subject: subject, User: user, Cause: errOldPassword})
		return oauth.Refuse(oauth.AccessDenied, oauth.ReasonUserChanged, "The password was changed.")
	}
	if session.ID == (storage.SessionID{}) {
		i.observe(ctx, oauth.Event{Kind: oauth.EventLogin, Outcome: oauth.OutcomeDisabled, Subject: subject, User: user})
		return oauth.Refuse(oauth.AccessDenied, oauth.ReasonUserDisabled, "The account is disabled.")
	}
	return nil
}

// holdPassword is for how long nobody signs in by the password before the last one. A list of
// users reaches all nodes long before that.
const holdPassword = time.Hour

var errOldPassword = errors.New("the password is the one before: this node has an older list of users than the one of the last login, " +
	"or the password was changed back, which counts after an hour")

// hold is for how long the fingerprint is held that a login of somebody replaces: a local
// user's alone. That of a provider's login changes with the configuration, which an operator
// may take back.
func (i *Issuer) hold(user storage.UserTag) time.Duration {
	if i.cfg.Accounts.Lists(user) {
		return holdPassword
	}
	return 0
}

// CurrentLogin returns the session that a cookie names, or nil when there is
// none (any more). A cookie with a bad MAC never reaches the store. A person
// whose password was changed since, or whose login is gone, is not signed in.
func (i *Issuer) CurrentLogin(ctx context.Context, cookie string) (*Login, error) {
	return i.currentLogin(ctx, cookie, storage.ClientTag{})
}

// CurrentLoginAt is CurrentLogin for a request of a client: it brings what the person has
// agreed to there, by the same call.
func (i *Issuer) CurrentLoginAt(ctx context.Context, cookie, clientID string) (*Login, error) {
	c, err := i.Client(ctx, clientID)
	if errors.Is(err, clients.ErrUnknown) {
		return i.CurrentLogin(ctx, cookie)
	}
	if err != nil {
		return nil, err
	}
	return i.currentLogin(ctx, cookie, c.Tag())
}

// WithoutConsent returns a copy that asks the store anew what the person has agreed to.
func (l *Login) WithoutConsent() *Login {
	copied := *l
	copied.about, copied.Session.Consent = storage.ClientTag{}, storage.Consent{}
	return &copied
}

func (i *Issuer) currentLogin(ctx context.Context, cookie string, about storage.ClientTag) (*Login, error) {
	if cookie == "" {
		return nil, nil //nolint:nilnil // no login is no error
	}
	ref, secret, ok := parseReference(i.state.Secrets(), secrets.PurposeSession, cookie)
	if !ok {
		return nil, nil //nolint:nilnil // as above
	}
	i.noteSecret(ctx, secret)
	session, record, found, err := i.state.Store.Session(ctx, ref.user, storage.SessionKey(ref.key).ID(), i.cfg.SessionIdleLifetime, about)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	marks, err := i.state.Denylist.MarksOf(ctx, storage.Everyone)
	if err != nil {
		return nil, err
	}
	if !found || !session.Begun.After(marks.Everyone) {
		return nil, nil //nolint:nilnil // as above
	}
	profile, err := parseProfile(record)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	if !i.fits(ref.user, profile) {
		return nil, nil //nolint:nilnil // as above
	}
	return &Login{Session: session, Profile: *profile, about: about}, nil
}
