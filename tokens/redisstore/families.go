package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// CreateFamily implements storage.Families.
func (s *Store) CreateFamily(ctx context.Context, r storage.CreateRequest) (storage.CreateResult, error) {
	a, err := s.decide(ctx, "create_family", s.scripts().createFamily, s.decidingKeys(r.User, held, denied, people),
		s.grace(), r.ID[:], r.Client[:], r.Grant[:], r.Session[:], unixMillis(r.Begun),
		millis(r.Lifetime), millis(r.IdleLifetime), r.MaxActive, unixMillis(r.BegunAfter),
		millis(r.DenyFor), r.Attempt[:], unixSeconds(r.AuthTime), unixMillis(r.Taken), unixMillis(r.Issued))
	if err != nil {
		return storage.CreateResult{}, err
	}
	res := storage.CreateResult{Created: a.bool(), IssueAt: a.millis()}
	res.Family, err = readFamily(&a, r.ID)
	res.Evicted = ids[storage.FamilyID](&a)
	if err = cmp.Or(err, a.err); err != nil {
		return storage.CreateResult{}, err
	}
	return res, nil
}

// unsure is the outcome of lua/rotate.lua that package storage does not know: it would be
// a reuse, and it is not known yet whether the maker of the generation is silent.
const unsure storage.RotateOutcome = 255

// Rotate implements storage.Families. It ends nothing by the first call: what
// looks like a reuse is decided by a second one, after a look at the node that made the
// current generation.
func (s *Store) Rotate(ctx context.Context, r storage.RotateRequest) (storage.RotateResult, error) {
	var res storage.RotateResult
	sure := false
	err := s.call(ctx, "rotate", func(ctx context.Context, c *connection) (err error) {
		if res, err = s.rotate(ctx, c, s.scripts().rotate, r, "?", time.Time{}); res.Outcome != unsure {
			return err
		}
		node, since := "", time.Time{}
		if r.Presented+1 == res.Family.Generation {
			if node, since, err = s.silence(ctx, c, res.Family); err != nil {
				return err
			}
		}
		sure = true
		res, err = s.rotate(ctx, c, s.scripts().reuse, r, node, since)
		return err
	})
	ended := committed(err) && res.Outcome == storage.RotateReused
	if ended {
		s.ended(storage.EndRequest{User: r.User, Scope: storage.EndFamily, Family: r.Family, DenyFor: r.DenyFor, Attempt: r.Attempt}, time.Time{})
	}
	switch {
	case err == nil:
		return res, nil
	case ended:
		return storage.RotateResult{Outcome: storage.RotateReused}, err
	case !sure:
		return storage.RotateResult{}, storage.EndedNothing(err)
	}
	return storage.RotateResult{}, err
}

// rotate runs one of the scripts. The result may come beside an error that is committed.
func (s *Store) rotate(ctx context.Context, c *connection, sc *script, r storage.RotateRequest, silent string, since time.Time) (storage.RotateResult, error) {
	a, err := s.eval(ctx, c, sc, s.decidingKeys(r.User, held, denied, people),
		s.grace(), r.Family[:], r.Client[:], r.Grant[:], r.Presented, rotationOf(r), millis(r.Leeway),
		millis(r.Lifetime), millis(r.IdleLifetime), unixMillis(r.BegunAfter),
		joined(r.Fingerprints), millis(r.DenyFor), r.Attempt[:], millis(r.Settle), silent, unixMillis(since), rulesOf(r.Groups), flag(r.Spare))
	if !committed(err) {
		return storage.RotateResult{}, err
	}
	res := storage.RotateResult{Outcome: storage.RotateOutcome(a.int()), IssueAt: a.millis()}
	var unread error
	res.Family, unread = readFamily(&a, r.Family)
	res.Profile = readProfile(&a)
	return res, cmp.Or(unread, a.err, err)
}

// rotationOf writes how a generation is presented as lua/rotate.lua reads it.
func rotationOf(r storage.RotateRequest) string {
	if !r.Rotation && r.Unused {
		return "unused"
	}
	return flag(r.Rotation)
}

// rulesOf writes rules as lua/rotate.lua reads them.
func rulesOf(all storage.AllOf) []byte {
	var text []byte
	for _, any := range all {
		text = append(append(text, byte(len(any))), joined(any)...)
	}
	return text
}

// Unanswered implements storage.Families.
func (s *Store) Unanswered(ctx context.Context, r storage.UnansweredRequest) error {
	return s.lasting(ctx, "unanswered", s.scripts().unanswered, s.userKeys(r.User, held),
		r.Family[:], r.Presented, joined(r.Attempts), unixMillis(r.Asked), millis(r.Leeway))
}

// readFamily takes a family's record; the zero family where there is none.
func readFamily(a *answer, id storage.FamilyID) (storage.Family, error) {
	record := a.text()
	if record == "" {
		return storage.Family{}, nil
	}
	f := storage.Family{ID: id}
	return f, f.UnmarshalBinary([]byte(record))
}

// ListFamilies implements storage.Families.
func (s *Store) ListFamilies(ctx context.Context, user storage.UserTag) ([]storage.Family, error) {
	a, err := s.decide(ctx, "list_families", s.scripts().families, s.userKeys(user, held))
	if err != nil {
		return nil, err
	}
	now, list := a.millis(), a.list()
	var live []storage.Family
	err = pairs(list, func(id, record string) error {
		f := storage.Family{ID: storage.FamilyID([]byte(id))}
		if err := f.UnmarshalBinary([]byte(record)); err != nil {
			return err
		}
		if !f.Dead(now) {
			live = append(live, f)
		}
		return nil
	})
	if err = cmp.Or(err, a.err); err != nil {
		return nil, err
	}
	slices.SortFunc(live, byAge)
	return live, nil
}

// LiveFamily implements storage.Families.
func (s *Store) LiveFamily(ctx context.Context, user storage.UserTag, id storage.FamilyID) (storage.Family, bool, error) {
	a, err := s.decide(ctx, "live_family", s.scripts().liveFamily, s.userKeys(user, held), id[:])
	if err != nil {
		return storage.Family{}, false, err
	}
	now := a.millis()
	f, err := readFamily(&a, id)
	if err = cmp.Or(err, a.err); err != nil || f.ID != id || f.Dead(now) {
		return storage.Family{}, false, err
	}
	return f, true, nil
}

// byAge orders families by the second of their creation; within one, by the
// time of their last rotation.
func byAge(a, b storage.Family) int {
	return cmp.Or(a.Created.Compare(b.Created), a.Rotated.Compare(b.Rotated), bytes.Compare(a.ID[:], b.ID[:]))
}

// End implements storage.Families.
func (s *Store) End(ctx context.Context, r storage.EndRequest) (storage.EndResult, error) {
	if r.Scope < storage.EndFamily || r.Scope > storage.EndConsent {
		return storage.EndResult{}, fmt.Errorf("ending a grant: unknown scope %d", r.Scope)
	}
	a, err := s.decide(ctx, "end", s.scripts().end, s.endKeys(r.User), s.endArgs(r)...)
	if !committed(err) {
		return storage.EndResult{}, err
	}
	res := storage.EndResult{Now: a.millis(), Families: ids[storage.FamilyID](&a), New: a.bool(), Told: int(a.int()), Dropped: int(a.int()), Given: storage.GivenAtLogin{Sealed: a.bytes(), Seq: uint32(a.int())}}
	copy(res.Given.Session[:], a.text())
	s.ended(r, res.Now)
	if err != nil {
		return storage.EndResult{}, err
	}
	return res, a.err
}

func (s *Store) endKeys(user storage.UserTag) []string {
	return s.userKeys(user, held, denied, people, codes, bodies, ended, upstreams, consents, logouts)
}

func (s *Store) endArgs(r storage.EndRequest) []any {
	return []any{s.grace(), uint8(r.Scope), r.Family[:], r.Session[:], millis(r.DenyFor), r.Attempt[:], unixMillis(r.Before), r.Client[:], flag(r.Tell), flag(r.Given)}
}

// ended keeps an end for the case of a failover. That of a user, or of a consent, is repeated as
// of the time when it was answered: a login since stays.
func (s *Store) ended(r storage.EndRequest, at time.Time) { s.keepEnd(r, at, false) }

// keepEnd is ended; with password it was another password, with which the consents until then go, too.
func (s *Store) keepEnd(r storage.EndRequest, at time.Time, password bool) {
	if !r.Before.IsZero() && at.Before(r.Before) {
		r.Before = at
	}
	args := s.endArgs(r)
	if r.Scope >= storage.EndUser {
		args = append(args, unixMillis(at), flag(password))
	}
	s.journal.add(s.scripts().end, s.endKeys(r.User), args...)
}

// PutGrant implements storage.Families.
func (s *Store) PutGrant(ctx context.Context, id storage.GrantID, text []byte, keep time.Duration) error {
	return s.lasting(ctx, "put_grant", s.scripts().putGrant, []string{s.grantKey(id)}, millis(keep), text)
}

// Grant implements storage.Families.
func (s *Store) Grant(ctx context.Context, id storage.GrantID) ([]byte, error) {
	texts, err := s.Grants(ctx, []storage.GrantID{id})
	if err != nil {
		return nil, err
	}
	return texts[0], nil
}

// Grants implements storage.Families.
func (s *Store) Grants(ctx context.Context, ids []storage.GrantID) (texts [][]byte, err error) {
	groups := make([][]string, len(ids))
	for i, id := range ids {
		groups[i] = []string{s.grantKey(id)}
	}
	err = s.call(ctx, "grant", func(ctx context.Context, c *connection) error {
		texts = make([][]byte, len(ids))
		all, errs := s.evalAll(ctx, c, s.scripts().grant, groups)
		for i := range all {
			if errs[i] == nil && all[i].present() {
				texts[i], errs[i] = []byte(all[i].text()), all[i].err
			}
		}
		return cmp.Or(errs...)
	})
	return texts, err
}
