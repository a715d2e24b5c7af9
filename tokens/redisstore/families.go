package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// CreateFamily implements tokens.Families.
func (s *Store) CreateFamily(ctx context.Context, r tokens.CreateRequest) (tokens.CreateResult, error) {
	var res tokens.CreateResult
	err := s.call(ctx, "create_family", func(ctx context.Context, c *connection) error {
		a, err := s.eval(ctx, c, s.scripts.createFamily, s.decidingKeys(r.User, held, denied),
			s.grace(), r.ID[:], r.Client[:], r.Grant[:], r.Session[:], unixMillis(r.AuthTime),
			millis(r.Lifetime), millis(r.IdleLifetime), r.MaxActive, unixMillis(r.BegunAfter),
			millis(r.DenyFor), r.Attempt[:])
		if err != nil {
			return err
		}
		res = tokens.CreateResult{Created: a.bool(), IssueAt: a.millis()}
		res.Family, err = readFamily(&a, r.ID)
		res.Evicted = ids[tokens.FamilyID](&a)
		if err = cmp.Or(err, a.err); err != nil || !res.Created {
			return err
		}
		ended, err := s.endedClient(ctx, c, r.Client, res.Family.Created)
		if ended {
			res = tokens.CreateResult{Evicted: res.Evicted}
		}
		return err
	})
	if err != nil {
		return tokens.CreateResult{}, err
	}
	return res, nil
}

// Rotate implements tokens.Families.
func (s *Store) Rotate(ctx context.Context, r tokens.RotateRequest) (tokens.RotateResult, error) {
	var res tokens.RotateResult
	err := s.call(ctx, "rotate", func(ctx context.Context, c *connection) error {
		a, err := s.eval(ctx, c, s.scripts.rotate, s.decidingKeys(r.User, held, denied),
			s.grace(), r.Family[:], r.Client[:], r.Grant[:], r.Presented, flag(r.Rotation), millis(r.Leeway),
			millis(r.Lifetime), millis(r.IdleLifetime), unixMillis(r.BegunAfter),
			r.Fingerprint[:], millis(r.DenyFor), r.Attempt[:])
		if err != nil {
			return err
		}
		res = tokens.RotateResult{Outcome: tokens.RotateOutcome(a.int()), IssueAt: a.millis()}
		res.Family, err = readFamily(&a, r.Family)
		res.Profile = a.bytes()
		if err = cmp.Or(err, a.err); err != nil || res.IssueAt.IsZero() {
			return err
		}
		ended, err := s.endedClient(ctx, c, r.Client, res.Family.Created)
		if ended {
			res = tokens.RotateResult{Outcome: tokens.RotateUnknown}
		}
		return err
	})
	if err != nil {
		return tokens.RotateResult{}, err
	}
	return res, nil
}

// endedClient reports whether the client was ended when or after its family
// was begun. In a Cluster the watermarks lie on another node than the user, so
// the script can't look at them, and the caller's may be old. It is enough to
// look after the decision: a client that is ended later than this denies what
// is minted now, since that is dated by the decision.
func (s *Store) endedClient(ctx context.Context, c *connection, client tokens.ClientTag, created time.Time) (bool, error) {
	if s.options.Mode != Cluster {
		return false, nil
	}
	marks, err := s.watermarks(ctx, c)
	if err != nil {
		return false, err
	}
	return !created.After(marks[client]), nil
}

// readFamily takes a family's record; the zero family where there is none.
func readFamily(a *answer, id tokens.FamilyID) (tokens.Family, error) {
	record := a.text()
	if record == "" {
		return tokens.Family{}, nil
	}
	f := tokens.Family{ID: id}
	return f, f.UnmarshalBinary([]byte(record))
}

// ListFamilies implements tokens.Families.
func (s *Store) ListFamilies(ctx context.Context, user tokens.UserTag) ([]tokens.Family, error) {
	a, err := s.decide(ctx, "list_families", s.scripts.families, s.userKeys(user, held))
	if err != nil {
		return nil, err
	}
	now, list := a.millis(), a.list()
	var live []tokens.Family
	err = pairs(list, func(id, record string) error {
		f := tokens.Family{ID: tokens.FamilyID([]byte(id))}
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

// byAge orders families by the second of their creation; within one, by the
// time of their last rotation.
func byAge(a, b tokens.Family) int {
	return cmp.Or(a.Created.Compare(b.Created), a.Rotated.Compare(b.Rotated), bytes.Compare(a.ID[:], b.ID[:]))
}

// End implements tokens.Families.
func (s *Store) End(ctx context.Context, r tokens.EndRequest) (tokens.EndResult, error) {
	if r.Scope < tokens.EndFamily || r.Scope > tokens.EndUser {
		return tokens.EndResult{}, fmt.Errorf("ending a grant: unknown scope %d", r.Scope)
	}
	a, err := s.decide(ctx, "end", s.scripts.end, s.userKeys(r.User, held, denied, codes, ended),
		s.grace(), uint8(r.Scope), r.Family[:], r.Session[:], millis(r.DenyFor), r.Attempt[:])
	if err != nil {
		return tokens.EndResult{}, err
	}
	res := tokens.EndResult{Now: a.millis(), Families: ids[tokens.FamilyID](&a)}
	return res, a.err
}

// PutGrant implements tokens.Families.
func (s *Store) PutGrant(ctx context.Context, id tokens.GrantID, text []byte) error {
	_, err := s.decide(ctx, "put_grant", s.scripts.putGrant, []string{s.key("grants")}, id[:], text)
	return err
}

// Grant implements tokens.Families.
func (s *Store) Grant(ctx context.Context, id tokens.GrantID) ([]byte, error) {
	a, err := s.decide(ctx, "grant", s.scripts.grant, []string{s.key("grants")}, id[:])
	if err != nil || !a.present() {
		return nil, err
	}
	text := []byte(a.text())
	return text, a.err
}
