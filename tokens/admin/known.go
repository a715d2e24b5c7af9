package admin

import (
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// KnowsUser reports whether there is such a user: one that the configuration
// names, a machine of a configured client, or one of whom the store keeps anything,
// if only that the user is disabled or was signed out a while ago. Users of a
// login that cannot list them are known once they have signed in.
func (o *Operator) KnowsUser(ctx context.Context, user storage.UserTag) (bool, error) {
	if o.cfg.Accounts != nil && o.cfg.Accounts.Lists(user) {
		return true, nil
	}
	for _, c := range o.issuer.Clients() {
		if storage.TagSubject(tokens.MachineSubject(c.ID)) == user {
			return true, nil
		}
	}
	h, err := o.state.Store.Held(ctx, user)
	if err != nil {
		return false, oauth.Unavailable(err)
	}
	if h.Profile.Subject != "" || len(h.Families)+len(h.Sessions) > 0 {
		return true, nil
	}
	if consents, err := o.issuer.ConsentTags(ctx, user); err != nil || len(consents) > 0 {
		return err == nil, err
	}
	denied, err := o.state.Store.Denials(ctx, []storage.UserTag{user})
	if err == nil {
		err = denied[0].Err
	}
	if err != nil {
		return false, oauth.Unavailable(err)
	}
	return !denied[0].Before.IsZero() || len(denied[0].Entries) > 0, nil
}

// KnowsClient reports whether there is such a client: one that is configured, or
// was ended, or through which somebody is signed in. For one that is neither configured
// nor ended it looks through the whole store.
func (o *Operator) KnowsClient(ctx context.Context, id string) (bool, error) {
	if _, err := o.issuer.Client(ctx, id); err == nil {
		return true, nil
	}
	tag := o.issuer.TagOf(id)
	if ended, err := o.state.Denylist.WasEnded(ctx, tag); ended || err != nil {
		return ended, err
	}
	err := o.state.Store.ScanUsers(ctx, storage.PartHeld, func(r storage.Record) error {
		for _, f := range r.Held.Families {
			if f.Client == tag {
				return errFound
			}
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, o.scanError(err)
}

// KnowsFamily reports whether a family lives, or has lived lately: for the latter
// its history speaks, and what is denied of its user.
func (o *Operator) KnowsFamily(ctx context.Context, user storage.UserTag, id storage.FamilyID) (bool, error) {
	if user != (storage.UserTag{}) {
		if had, err := o.issuer.HasOrHad(ctx, user, id); had || err != nil {
			return had, err
		}
	}
	histories, err := o.state.History.Of(ctx, id)
	return err == nil && len(histories[0]) > 0, err
}
