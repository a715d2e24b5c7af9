package admin

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Logout is a sign-out that an application has still to be told of.
type Logout struct {
	User    storage.UserTag
	Session storage.SessionID
	Client  string    // "" for one that is not configured any more
	Since   time.Time // of the sign-out
	Next    time.Time // when it is tried, or the lease of who tries it ends
	Tries   int       // that have failed
}

// Logouts returns them, the oldest first. It looks through the whole store.
func (o *Operator) Logouts(ctx context.Context) ([]Logout, error) {
	receivers := o.issuer.Receivers()
	var all []Logout
	err := o.state.Store.ScanUsers(ctx, storage.PartOutbox, func(r storage.Record) error {
		for _, l := range r.Outbox.Waiting {
			all = append(all, Logout{
				User: r.Outbox.User, Session: l.Root, Client: receivers[l.Client].ClientID, Since: l.Since, Next: l.Due, Tries: l.Tries,
			})
		}
		return nil
	})
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	slices.SortFunc(all, func(a, b Logout) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.User.String(), b.User.String()), cmp.Compare(a.Client, b.Client))
	})
	return all, nil
}
