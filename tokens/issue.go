package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// IssueCode makes the authorization code for a request and a login.
// See RFC 6749 §4.1.2.
func (i *Issuer) IssueCode(ctx context.Context, a *Authorization, l *Login) (string, error) {
	c, err := i.Asking(ctx, a)
	if err != nil {
		return "", err
	}
	put := storage.PutRequest{Client: c.Tag()}
	if i.asks(c, a, false) == asksNew { // and has nothing to ask
		if err := i.lookUpConsent(ctx, c.Tag(), l); err != nil {
			return "", err
		}
		put.RestsOn = l.Session.Consent.Agreed
	}
	return i.issueCode(ctx, c, a, l, put)
}

// IssueAgreed is IssueCode for a request that the person has just agreed to: what they
// agreed to is kept with the code.
func (i *Issuer) IssueAgreed(ctx context.Context, a *Authorization, l *Login) (string, error) {
	c, err := i.Asking(ctx, a)
	if err != nil {
		return "", err
	}
	put := storage.PutRequest{Client: c.Tag()}
	if err := i.agree(ctx, c, l, agreedRedirect(c, a), i.wanted(c, a, l), &put); err != nil {
		return "", err
	}
	code, err := i.issueCode(ctx, c, a, l, put)
	if err == nil {
		i.observe(ctx, oauth.Event{Kind: oauth.EventConsent, Outcome: oauth.OutcomeGiven, Client: a.ClientID, Subject: l.Profile.Subject, User: l.Session.User})
	}
	return code, err
}

func (i *Issuer) issueCode(ctx context.Context, c *clients.Client, a *Authorization, l *Login, put storage.PutRequest) (string, error) {
	key, err := i.drawCode(func(key [16]byte) storage.CodeKey { return key })
	if err != nil {
		return "", err
	}
	grant := storage.Grant{Scopes: i.ScopesOf(l, a.Scopes, a.Audiences), Audiences: a.Audiences, ACR: l.Session.ACR, Keyed: c.Origin == clients.Document && c.Confidential()}
	if a.Site != nil {
		grant = storage.Grant{ACR: l.Session.ACR, Site: c.Origins[0], Keys: a.Site.Keys}
	}
	if err := i.keepGrant(ctx, c, grant); err != nil {
		return "", err
	}
	if err := i.clients.Keep(ctx, c); err != nil {
		return "", err
	}
	from := oauth.RequesterFrom(ctx)
	body, err := json.Marshal(codeBody{
		Client:        a.ClientID,
		RedirectURI:   a.RedirectURI,
		RedirectGiven: a.RedirectGiven,
		Challenge:     a.Challenge,
		Nonce:         a.Nonce,
		Grant:         grant,
		Begun:         l.Session.Begun.Unix(),
		AuthTime:      unixOrZero(l.Session.AuthTime),
		AMR:           l.Session.AMR,
		Session:       l.Session.Root,
		ProofKey:      a.ProofKey,
		Address:       history.Clip(from.Address),
		Device:        history.Clip(from.DeviceName()),
	})
	if err != nil {
		return "", fmt.Errorf("encoding code: %w", err)
	}
	ref := reference{user: l.Session.User, key: key}
	put.ID, put.Begins = storage.CodeKey(key).ID(), l.Session.Root
	put.Owner, put.Body, put.Lifetime = codeOwner(a.ClientID, a.Challenge), body, codeLifetime
	if err := i.putCode(ctx, l, put); err != nil {
		return "", err
	}
	issued := oauth.Event{Kind: oauth.EventCodeIssued, Outcome: oauth.OutcomeOK, Client: a.ClientID, Subject: l.Profile.Subject, User: ref.user}
	if a.Challenge == "" {
		issued.Outcome = oauth.OutcomeWithoutPKCE
	}
	i.observe(ctx, issued)
	return ref.text(i.state.Secrets(), secrets.PurposeCode), nil
}

// codeOwner is what the second use of a code is held against: by it the client
// that has the verifier is known again when what the code said is forgotten.
func codeOwner(clientID, challenge string) [16]byte {
	return storage.Hash16("code-owner", []byte(clientID+"\x00"+challenge))
}

// drawCode returns the random bits from which a code's key is made. Operators
// paste the ID of the family that the code begins into commands, so it does not
// begin with a dash.
func (i *Issuer) drawCode(derive func([16]byte) storage.CodeKey) ([16]byte, error) {
	for {
		b, err := i.random16()
		if err != nil || !strings.HasPrefix(derive(b).FamilyKey().ID().String(), "-") {
			return b, err
		}
	}
}

// putCode keeps a code of a login, if that has not ended. Errors: ErrConsentChanged, too.
func (i *Issuer) putCode(ctx context.Context, l *Login, r storage.PutRequest) error {
	marks, err := i.state.Denylist.MarksOf(ctx, storage.Everyone)
	if err != nil {
		return err
	}
	kept := storage.PutNothing
	if l.Session.Begun.After(marks.Everyone) {
		r.User, r.Session = l.Session.User, l.Session.ID
		if kept, err = i.state.Store.PutCode(ctx, r); err != nil {
			return oauth.Unavailable(err)
		}
	}
	switch kept {
	case storage.PutKept:
		return nil
	case storage.PutOtherConsent:
		return ErrConsentChanged
	default:
		return oauth.Refuse(oauth.LoginRequired, oauth.ReasonRevoked, "The person has just signed out.")
	}
}
