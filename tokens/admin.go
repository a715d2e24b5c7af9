package tokens

import (
	"context"
	"fmt"
)

// Grants returns the live refresh token families of a subject.
func (i *Issuer) Grants(ctx context.Context, subject string) ([]Family, error) {
	families, err := i.state.Store.ListFamilies(ctx, TagSubject(subject))
	if err != nil {
		return nil, unavailable(err)
	}
	return families, nil
}

// ClientOf returns the id of the configured client that a family belongs to, or "".
func (i *Issuer) ClientOf(f Family) string {
	for _, c := range i.cfg.Clients {
		if c.tag == f.Client {
			return c.ID
		}
	}
	return ""
}

// EndGrant ends one family of a user and denies its access tokens. by says who
// ends it: a client_id, or "" for the operator.
func (i *Issuer) EndGrant(ctx context.Context, user UserTag, id FamilyID, by string) error {
	if _, err := i.end(ctx, EndRequest{User: user, Scope: EndFamily, Family: id}); err != nil {
		return err
	}
	i.observe(ctx, Event{Kind: EventRevoked, Outcome: "refresh_token", Client: by, User: user, Family: id})
	return nil
}

// EndUser ends all sessions, refresh tokens and access tokens of a subject.
func (i *Issuer) EndUser(ctx context.Context, subject string) (EndResult, error) {
	user := TagSubject(subject)
	res, err := i.end(ctx, EndRequest{User: user, Scope: EndUser})
	if err != nil {
		return res, err
	}
	i.observe(ctx, Event{Kind: EventRevoked, Outcome: "user", Subject: subject, User: user})
	return res, nil
}

// EndClient ends all refresh tokens and access tokens that a client has until
// now. The client need not be configured any more.
func (i *Issuer) EndClient(ctx context.Context, clientID string) error {
	if _, err := i.state.Store.EndClient(ctx, TagClient(clientID)); err != nil {
		return unavailable(err)
	}
	if err := i.state.Denylist.ClientChanged(ctx); err != nil {
		return unavailable(fmt.Errorf("reading client watermarks: %w", err))
	}
	i.observe(ctx, Event{Kind: EventRevoked, Outcome: "client", Client: clientID})
	return nil
}
