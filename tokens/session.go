package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Profile is what the gateway knows about a person, kept in the store as JSON.
type Profile struct {
	Subject     string         `json:"sub"`              // "<login>|<id>"
	Login       string         `json:"login"`            // the name of the login module
	ACR         string         `json:"acr,omitempty"`    // how the person proved who they are
	Claims      map[string]any `json:"claims,omitempty"` // name, nickname, email, email_verified, picture …
	UpdatedAt   time.Time      `json:"updated_at"`
	Fingerprint Fingerprint    `json:"fingerprint,omitzero"` // of a local password hash
}

// Login is a person's session at the gateway.
type Login struct {
	Session Session
	Profile Profile
}

// SignIn begins a session for a person who has just proved who they are, and
// ends the session of the cookie that the browser sent before, if any, so that
// no session is fixed beforehand. It returns the value of the session cookie.
func (i *Issuer) SignIn(ctx context.Context, p Profile, replaces string) (*Login, string, error) {
	key, err := i.random16()
	if err != nil {
		return nil, "", err
	}
	p.UpdatedAt = i.cfg.Clock().UTC().Truncate(time.Second)
	profile, err := json.Marshal(p)
	if err != nil {
		return nil, "", fmt.Errorf("encoding profile: %w", err)
	}
	ref := reference{user: TagSubject(p.Subject), key: key}
	replaced, err := i.endReplaced(ctx, replaces, ref.user)
	if err != nil {
		return nil, "", err
	}
	session, err := i.state.Store.CreateSession(ctx, SessionRequest{
		User:        ref.user,
		ID:          SessionKey(key).ID(),
		Lifetime:    i.cfg.SessionLifetime,
		Profile:     profile,
		Fingerprint: p.Fingerprint,
		Replaces:    replaced,
		DenyFor:     i.state.DenyFor(),
	})
	i.state.Denylist.Changed(ref.user) // a change of password ends what was before
	if err != nil {
		return nil, "", unavailable(err)
	}
	i.observe(ctx, Event{Kind: EventLogin, Outcome: "ok", Subject: p.Subject, User: ref.user})
	return &Login{Session: session, Profile: p}, ref.text(i.state.secrets(), PurposeSession), nil
}

// endReplaced sees to the session that a browser had before a login: another
// person's is ended here, the same person's is returned, to be replaced in the
// same step as the new one begins. What applications hold by it goes on.
func (i *Issuer) endReplaced(ctx context.Context, cookie string, user UserTag) (SessionID, error) {
	ref, _, ok := parseReference(i.state.secrets(), PurposeSession, cookie)
	if !ok {
		return SessionID{}, nil
	}
	id := SessionKey(ref.key).ID()
	if ref.user == user {
		return id, nil
	}
	_, err := i.end(ctx, EndRequest{User: ref.user, Scope: EndSessionOnly, Session: id})
	return SessionID{}, err
}

// CurrentLogin returns the session that a cookie names, or nil when there is
// none (any more). A cookie with a bad MAC never reaches the store. A person
// whose password was changed since is not signed in.
func (i *Issuer) CurrentLogin(ctx context.Context, cookie string) (*Login, error) {
	if cookie == "" {
		return nil, nil //nolint:nilnil // no login is no error
	}
	ref, secret, ok := parseReference(i.state.secrets(), PurposeSession, cookie)
	if !ok {
		return nil, nil //nolint:nilnil // as above
	}
	i.noteSecret(ctx, secret)
	session, text, found, err := i.state.Store.Session(ctx, ref.user, SessionKey(ref.key).ID(), i.cfg.SessionIdleLifetime)
	if err != nil {
		return nil, unavailable(err)
	}
	if !found {
		return nil, nil //nolint:nilnil // as above
	}
	profile, err := parseProfile(text)
	if err != nil {
		return nil, unavailable(err)
	}
	if profile.Fingerprint != i.cfg.Accounts.Fingerprint(ref.user) {
		return nil, nil //nolint:nilnil // as above
	}
	return &Login{Session: session, Profile: *profile}, nil
}

// SignOut ends the session of a cookie, and the refresh tokens and access
// tokens of the applications that were signed in by it.
func (i *Issuer) SignOut(ctx context.Context, cookie string) error {
	ref, _, ok := parseReference(i.state.secrets(), PurposeSession, cookie)
	if !ok {
		return nil
	}
	return i.signOut(ctx, ref.user, SessionKey(ref.key).ID())
}

// LogoutHint is a verified id_token_hint.
type LogoutHint struct {
	ClientID  string // the audience of the ID token
	Subject   string
	SessionID SessionID
}

// ParseLogoutHint verifies an id_token_hint; an expired one is fine.
// See OpenID Connect RP-Initiated Logout §2.
func (i *Issuer) ParseLogoutHint(idToken string) (*LogoutHint, error) {
	c, err := i.verifier.VerifyIDToken(idToken)
	if err != nil || len(c.Audience) != 1 {
		return nil, invalidRequest("id_token_hint is not an ID token of this gateway.")
	}
	if !c.HasSession {
		return nil, invalidRequest("id_token_hint names no session.")
	}
	return &LogoutHint{ClientID: c.Audience[0], Subject: c.Subject, SessionID: c.Session}, nil
}

// SignOutHint ends the session that a verified id_token_hint names.
func (i *Issuer) SignOutHint(ctx context.Context, h *LogoutHint) error {
	return i.signOut(ctx, TagSubject(h.Subject), h.SessionID)
}

func (i *Issuer) signOut(ctx context.Context, user UserTag, session SessionID) error {
	if _, err := i.end(ctx, EndRequest{User: user, Scope: EndSession, Session: session}); err != nil {
		return err
	}
	i.observe(ctx, Event{Kind: EventLogout, Outcome: "ok", User: user})
	return nil
}

// end asks the store to end something of a user and drops what this node held about them.
func (i *Issuer) end(ctx context.Context, r EndRequest) (EndResult, error) {
	attempt, err := i.attempt()
	if err != nil {
		return EndResult{}, err
	}
	r.Attempt = attempt
	r.DenyFor = i.state.DenyFor()
	ctx, done := decisive(ctx)
	defer done()
	res, err := i.state.Store.End(ctx, r)
	i.state.Denylist.Changed(r.User)
	if err != nil {
		return res, unavailable(err)
	}
	return res, nil
}

func parseProfile(text []byte) (*Profile, error) {
	var p Profile
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("reading profile: %w", err)
	}
	return &p, nil
}
