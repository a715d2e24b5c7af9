package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// ListedClient is a client, as far as it has been seen.
type ListedClient struct {
	tokens.NamedClient

	Kind     string    // configured, site, registered, document or removed
	People   int       // who are signed in by it
	Families int       // that live
	LastUsed time.Time // zero for never
	Ended    time.Time // what begun by then is over; zero for nothing
	Blocked  bool
}

// MaxListed is how many clients ListClients tells apart.
const MaxListed = 10_000

// ListClients returns the clients of the configuration, and those that no configuration
// names, as far as somebody is signed in by them, or they were ended or are blocked: at most
// MaxListed, and whether there are more. It looks through the whole store.
func (o *Operator) ListClients(ctx context.Context) (list []ListedClient, more bool, err error) {
	seen := make(listing)
	for _, c := range o.issuer.Clients() {
		seen[c.Tag()] = new(listed)
	}
	of := func(tag storage.ClientTag) *listed {
		c := seen[tag]
		switch {
		case c != nil || tag == tag.Kind():
		case len(seen) >= MaxListed:
			more = true
		default:
			c = new(listed)
			seen[tag] = c
		}
		return c
	}
	marks, err := o.state.Store.ClientWatermarks(ctx)
	if err != nil {
		return nil, false, oauth.Unavailable(err)
	}
	for tag, m := range marks {
		if c := of(tag); c != nil {
			c.Ended, c.Blocked = m.Before, m.Blocked
		}
	}
	agreed := make(map[storage.ClientTag]storage.Consent)
	err = o.state.Store.ScanUsers(ctx, storage.PartHeld|storage.PartConsents, func(r storage.Record) error {
		if r.Consents != nil {
			for _, c := range r.Consents.Consents {
				if _, known := agreed[c.Client]; known || len(agreed) < 2*MaxListed {
					agreed[c.Client] = c
				}
			}
			return nil
		}
		families, err := o.issuer.Live(ctx, r.Held.Families)
		counted := make(map[storage.ClientTag]bool)
		for _, f := range families {
			if c := of(f.Client); c != nil {
				c.count(f, !counted[f.Client])
				counted[f.Client] = true
			}
		}
		return err
	})
	if err != nil {
		return nil, more, o.scanError(err)
	}
	list, err = o.nameListed(ctx, seen, agreed)
	return list, more, err
}

// listed is a client that is counted, and one of its families.
type listed struct {
	ListedClient

	family storage.Family
}

type listing map[storage.ClientTag]*listed

func (c *listed) count(f storage.Family, another bool) {
	c.family = f
	if c.Families++; another {
		c.People++
	}
	if f.Rotated.After(c.LastUsed) {
		c.LastUsed = f.Rotated
	}
}

// nameListed says what is known of the clients that were counted: by what somebody has agreed
// to at each.
func (o *Operator) nameListed(ctx context.Context, seen listing, agreed map[storage.ClientTag]storage.Consent) ([]ListedClient, error) {
	list := make([]ListedClient, 0, len(seen))
	for tag, c := range seen {
		var err error
		if c.NamedClient, err = o.issuer.NameClientOf(ctx, tag, c.family, agreed[tag]); err != nil {
			return nil, err
		}
		c.Kind = tag.KindName()
		if _, site := sites.OriginOf(c.ID); site {
			c.Kind = "site"
		} else if c.Client != nil {
			c.Kind = "configured"
		}
		list = append(list, c.ListedClient)
	}
	slices.SortFunc(list, func(a, b ListedClient) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// kinds are those of clients, in the order of the list.
var kinds = []string{"configured", "site", "removed", "document", "registered"}

// BlockClient says whether a client that nobody registered may sign people in. One of the
// configuration is taken out of that instead: ErrConfigured.
func (o *Operator) BlockClient(ctx context.Context, client string, blocked bool) error {
	tag := o.issuer.TagOf(client)
	if !tag.Unregistered() {
		return ErrConfigured
	}
	ctx, done := storage.Decisive(ctx)
	defer done()
	if err := o.state.Store.BlockClient(ctx, tag, blocked); err != nil {
		return oauth.Unavailable(err)
	}
	if err := o.state.Denylist.ClientDenied(ctx); err != nil {
		return oauth.Unavailable(err)
	}
	return nil
}

// ErrConfigured is returned for a client that is not one that nobody registered.
var ErrConfigured = errors.New("only a client that no configuration names can be blocked: take the block of this one out of the configuration")

// EndRegistered ends all that clients have until now that have registered themselves. It
// returns the time until which that is over.
func (o *Operator) EndRegistered(ctx context.Context) (time.Time, error) {
	until, err := o.endClient(ctx, storage.AllRegistered, o.issuer.KeepsEnd(storage.AllRegistered))
	if err != nil {
		return time.Time{}, err
	}
	o.cfg.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeRegistered})
	return until, nil
}
