package admin

import (
	"context"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Rebinding says that the people of a login are those of its provider of today.
type Rebinding struct {
	Login    string
	From, To storage.Fingerprint // of the provider before, and now
	DryRun   bool                // only count
}

// Rebound says what a Rebinding has done, or would do.
type Rebound struct {
	Users   int // who were looked at
	Bound   int // to the new provider, by this call
	Already int // had signed in by it, or were bound before
}

// Rebind gives the people of a login who came by its provider before, and nobody else,
// the fingerprint of now. All that they have goes on. It may be called again when it
// breaks off. progress, if not nil, hears of every user.
func (o *Operator) Rebind(ctx context.Context, what Rebinding, progress func(Rebound)) (Rebound, error) {
	var done Rebound
	err := o.state.Store.ScanUsers(ctx, storage.PartHeld, func(r storage.Record) error {
		p := r.Held.Profile
		bound, err := false, error(nil)
		switch {
		case !strings.HasPrefix(p.Subject, what.Login+"|"):
		case p.Fingerprint == what.To:
			done.Already++
		case p.Fingerprint == what.From && what.DryRun:
			bound = true
		case p.Fingerprint == what.From:
			call, free := storage.Decisive(ctx)
			bound, err = o.state.Store.Rebind(call, storage.RebindRequest{User: r.Held.User, From: what.From, To: what.To})
			free()
		}
		if bound {
			done.Bound++
		}
		if done.Users++; err == nil && progress != nil {
			progress(done)
		}
		return err
	})
	return done, o.scanError(err)
}
