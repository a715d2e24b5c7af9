package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// ListedClient is a client, as far as it has been seen.
type ListedClient struct {
	ID       string // of one that no configuration names, the tag: nothing is kept of it but that
	Tag      storage.ClientTag
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
	seen := make(map[storage.ClientTag]*ListedClient)
	for _, c := range o.issuer.Clients() {
		seen[c.Tag()] = &ListedClient{ID: c.ID, Tag: c.Tag()}
	}
	of := func(tag storage.ClientTag) *ListedClient {
		c := seen[tag]
		switch {
		case c != nil || tag == tag.Kind():
		case len(seen) >= MaxListed:
			more = true
		default:
			c = &ListedClient{ID: tag.String(), Tag: tag}
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
	err = o.ScanGrants(ctx, "", nil, func(g UserGrants) error {
		counted := make(map[storage.ClientTag]bool)
		for _, f := range g.Families {
			c := of(f.Client)
			if c == nil {
				continue
			}
			c.Families++
			if !counted[f.Client] {
				counted[f.Client] = true
				c.People++
			}
			if f.Rotated.After(c.LastUsed) {
				c.LastUsed = f.Rotated
			}
		}
		return nil
	})
	for _, c := range seen {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b ListedClient) int {
		return cmp.Or(cmp.Compare(a.Tag.Kind()[0], b.Tag.Kind()[0]), cmp.Compare(a.ID, b.ID))
	})
	return list, more, err
}

// BlockClient says whether a client that nobody registered may sign people in. One of the
// configuration is taken out of that instead: ErrConfigured.
func (o *Operator) BlockClient(ctx context.Context, client string, blocked bool) error {
	tag := o.tagOf(client)
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
