package tokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// SignOut ends the session of a cookie, and the refresh tokens and access
// tokens of the applications that were signed in by it.
func (i *Issuer) SignOut(ctx context.Context, cookie string) error {
	_, err := i.EndLogin(ctx, cookie, nil, false)
	return err
}

// LogoutHint is a verified id_token_hint.
type LogoutHint struct {
	ClientID  string // the audience of the ID token
	Subject   string
	SessionID storage.SessionID
}

// ParseLogoutHint verifies an id_token_hint; an expired one is fine. One whose key
// is gone proves nothing any more and is as good as none: the hint is nil then.
// See OpenID Connect RP-Initiated Logout §2.
func (i *Issuer) ParseLogoutHint(idToken string) (*LogoutHint, error) {
	c, err := i.verifier.VerifyIDToken(idToken)
	if oauth.IsReason(err, oauth.ReasonUnknownKey) {
		return nil, nil //nolint:nilnil // as good as none
	}
	if err != nil || len(c.Audience) != 1 {
		return nil, oauth.BadRequest("id_token_hint is not an ID token of this gateway.")
	}
	if !c.HasSession {
		return nil, oauth.BadRequest("id_token_hint names no session.")
	}
	if _, ok := i.Configured(c.Audience[0]); !ok {
		return nil, nil //nolint:nilnil // what nobody has registered signs nobody out (and its token is in anybody's hands)
	}
	return &LogoutHint{ClientID: c.Audience[0], Subject: c.Subject, SessionID: c.Session}, nil
}

// SignOutHint ends the session that a verified id_token_hint names.
func (i *Issuer) SignOutHint(ctx context.Context, h *LogoutHint) error {
	_, err := i.EndLogin(ctx, "", h, false)
	return err
}

// EndLogin ends the session that a hint names, if there is one, and that of a cookie, as
// SignOut does. With given it returns what a provider gave at the login of the cookie, or
// else of the hint, for the sign-out there: zero for nothing.
func (i *Issuer) EndLogin(ctx context.Context, cookie string, h *LogoutHint, given bool) (g Given, err error) {
	if h != nil {
		if g, err = i.signOut(ctx, storage.TagSubject(h.Subject), h.SessionID, given); err != nil {
			return Given{}, err
		}
	}
	ref, _, ok := parseReference(i.state.Secrets(), secrets.PurposeSession, cookie)
	if !ok {
		return g, nil
	}
	of, err := i.signOut(ctx, ref.user, storage.SessionKey(ref.key).ID(), given)
	if of != (Given{}) {
		g = of
	}
	return g, err
}

// signOut ends one session. What a provider gave, and cannot be opened any more, is nothing.
func (i *Issuer) signOut(ctx context.Context, user storage.UserTag, session storage.SessionID, given bool) (g Given, err error) {
	res, err := i.state.End(ctx, storage.EndRequest{User: user, Scope: storage.EndSession, Session: session, Given: given}, history.EndedBySignOut)
	if err != nil {
		return Given{}, err
	}
	if res.New {
		i.observe(ctx, oauth.Event{Kind: oauth.EventLogout, Outcome: oauth.OutcomeOK, User: user})
	}
	if of := res.Given; len(of.Sealed) > 0 {
		g, _ = openGiven(i.state.Secrets(), of.Sealed, user, of.Session, of.Seq)
	}
	return g, nil
}

// replaced reads the session that a browser had before a login. That of the same person is
// replaced in the same step as the new one begins; that of another is ended when it has begun,
// so that a login that is refused signs nobody out. Either is zero for none.
func (i *Issuer) replaced(cookie string, user storage.UserTag) (others reference, own storage.SessionID) {
	ref, _, ok := parseReference(i.state.Secrets(), secrets.PurposeSession, cookie)
	if !ok {
		return reference{}, storage.SessionID{}
	}
	if ref.user == user {
		return reference{}, storage.SessionKey(ref.key).ID()
	}
	return ref, storage.SessionID{}
}

// endReplaced signs out the person who used a browser before somebody else.
func (i *Issuer) endReplaced(ctx context.Context, ref reference) error {
	if ref == (reference{}) {
		return nil
	}
	end := storage.EndRequest{User: ref.user, Scope: storage.EndSession, Session: storage.SessionKey(ref.key).ID()}
	res, err := i.state.End(ctx, end, history.EndedByNext)
	if err == nil && res.New {
		i.observe(ctx, oauth.Event{Kind: oauth.EventLogout, Outcome: oauth.OutcomeReplaced, User: ref.user})
	}
	return err
}
