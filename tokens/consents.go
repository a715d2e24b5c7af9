package tokens

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Consent is what a person has agreed to at one application.
type Consent struct {
	NamedClient

	ClientTag storage.ClientTag // for WithdrawConsent
	Agreed    time.Time         // when the person agreed last
	LastUsed  time.Time         // exact to an hour
	// Scopes and Audiences are what the person has agreed to, as far as that is known.
	Scopes    []string
	Audiences []string
}

// Consents returns what a person has agreed to, the newest first.
func (i *Issuer) Consents(ctx context.Context, l *Login) ([]Consent, error) {
	return i.ConsentsOf(ctx, l.Session.User)
}

// ConsentsOf is Consents for a user who need not be signed in.
func (i *Issuer) ConsentsOf(ctx context.Context, user storage.UserTag) ([]Consent, error) {
	all, err := i.state.Store.Consents(ctx, user)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	slices.Reverse(all)
	texts := make([]storage.GrantID, len(all))
	for n, c := range all {
		texts[n] = c.Agreed
	}
	agreed, err := i.state.Grants.LookAll(ctx, texts)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	list := make([]Consent, len(all))
	for n, c := range all {
		list[n] = i.described(ctx, c, agreed[n])
	}
	return list, nil
}

// ConsentTags returns the clients that a user has agreed to something at, in one call.
func (i *Issuer) ConsentTags(ctx context.Context, user storage.UserTag) ([]storage.ClientTag, error) {
	all, err := i.state.Store.Consents(ctx, user)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	tags := make([]storage.ClientTag, len(all))
	for n, c := range all {
		tags[n] = c.Client
	}
	return tags, nil
}

func (i *Issuer) described(ctx context.Context, c storage.Consent, text storage.Grant) Consent {
	d := Consent{NamedClient: i.clientName(ctx, c.Client, c, text), ClientTag: c.Client, Agreed: c.When, LastUsed: c.Used}
	for _, access := range text.Agreed {
		for api, scopes := range access {
			if api != "" {
				d.Audiences = append(d.Audiences, api)
			}
			d.Scopes = append(d.Scopes, scopes...)
		}
	}
	slices.Sort(d.Scopes)
	slices.Sort(d.Audiences)
	d.Scopes, d.Audiences = slices.Compact(d.Scopes), slices.Compact(d.Audiences)
	return d
}

// WithdrawConsent takes back what a person has agreed to at an application, at that person's
// request: in one call on all nodes the consent, the application's refresh tokens and
// codes, and its access tokens end. What was never theirs ends nothing: it
// would stay in the denylist, which every question about this person has to read.
func (i *Issuer) WithdrawConsent(ctx context.Context, l *Login, client storage.ClientTag) error {
	user := l.Session.User
	if theirs, err := i.hasOrHadConsent(ctx, user, client); err != nil || !theirs {
		return err
	}
	_, err := i.Withdraw(ctx, user, l.Profile.Subject, client, history.EndedByPerson)
	return err
}

// Withdraw is WithdrawConsent for a user who need not be signed in, by whom history tells.
func (i *Issuer) Withdraw(ctx context.Context, user storage.UserTag, subject string, client storage.ClientTag, by string) (storage.EndResult, error) {
	res, err := i.state.End(ctx, storage.EndRequest{User: user, Scope: storage.EndConsent, Client: client}, by)
	if err == nil && res.New {
		e := oauth.Event{Kind: oauth.EventConsent, Outcome: oauth.OutcomeWithdrawn, Subject: subject, User: user}
		e.Client = client.String()
		if c, ok := i.clients.Tagged(client); ok {
			e.Client = c.ID
		}
		i.observe(ctx, e)
	}
	return res, err
}

// hasOrHadConsent reports whether a client has something of a user, or had lately.
func (i *Issuer) hasOrHadConsent(ctx context.Context, user storage.UserTag, client storage.ClientTag) (bool, error) {
	if _, known := i.clients.Tagged(client); known {
		return true, nil
	}
	all, err := i.ConsentTags(ctx, user)
	if err != nil || slices.Contains(all, client) {
		return err == nil, err
	}
	families, err := i.state.Store.ListFamilies(ctx, user)
	if err != nil {
		return false, oauth.Unavailable(err)
	}
	return slices.ContainsFunc(families, func(f storage.Family) bool { return f.Client == client }), nil
}
