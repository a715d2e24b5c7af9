package tokens

import (
	"context"
	"errors"
)

// KnowsUser reports whether there is such a user: one that the configuration
// names, a machine of a configured client, or one of whom the store keeps anything,
// if only that the user is disabled or was signed out a while ago. Users of a
// login that nobody can list are known once they have signed in.
func (i *Issuer) KnowsUser(ctx context.Context, user UserTag) (bool, error) {
	if i.cfg.Accounts != nil && i.cfg.Accounts.Fingerprint(user) != (Fingerprint{}) {
		return true, nil
	}
	for _, c := range i.cfg.Clients {
		if TagSubject(MachineSubject(c.ID)) == user {
			return true, nil
		}
	}
	h, err := i.state.Store.Held(ctx, user)
	if err != nil {
		return false, unavailable(err)
	}
	if h.Profile != nil || len(h.Families)+len(h.Sessions) > 0 {
		return true, nil
	}
	denied, err := i.state.Store.Denials(ctx, []UserTag{user})
	if err == nil {
		err = denied[0].Err
	}
	if err != nil {
		return false, unavailable(err)
	}
	return !denied[0].Before.IsZero() || len(denied[0].Entries) > 0, nil
}

// KnowsClient reports whether there is such a client: one that is configured, or
// was ended, or by which anybody is signed in. For one that is neither configured
// nor ended it looks through the whole store.
func (i *Issuer) KnowsClient(ctx context.Context, id string) (bool, error) {
	if _, ok := i.Client(id); ok {
		return true, nil
	}
	tag := TagClient(id)
	if ended, err := i.state.Denylist.wasEnded(ctx, tag); ended || err != nil {
		return ended, err
	}
	err := i.state.Store.ScanUsers(ctx, PartHeld, func(r Record) error {
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
	return false, i.scanError(err)
}

// KnowsFamily reports whether a family lives, or has lived lately: for the latter
// its history speaks, and what is denied of its user.
func (i *Issuer) KnowsFamily(ctx context.Context, user UserTag, id FamilyID) (bool, error) {
	if user != (UserTag{}) {
		if had, err := i.hasOrHad(ctx, user, id); had || err != nil {
			return had, err
		}
	}
	histories, err := i.History(ctx, id)
	return err == nil && len(histories[0]) > 0, err
}
