package redisstore

import (
	"cmp"
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// PutCode implements storage.Codes.
func (s *Store) PutCode(ctx context.Context, r storage.PutRequest) (storage.PutOutcome, error) {
	var restsOn, consent []byte
	if r.RestsOn != (storage.GrantID{}) {
		restsOn = r.RestsOn[:]
	}
	if r.Consent != nil {
		consent = r.Consent.Text()
	}
	begins := cmp.Or(r.Begins, r.Session)
	a, err := s.decide(ctx, "put_code", s.scripts().putCode, s.decidingKeys(r.User, held, denied, codes, bodies, consents),
		0, r.ID[:], millis(r.Lifetime), r.Session[:], r.Body, begins[:], r.Owner[:], r.Client[:], restsOn, consent)
	if err != nil {
		return storage.PutNothing, err
	}
	outcome := storage.PutOutcome(a.int())
	return outcome, a.err
}

// TakeCode implements storage.Codes.
func (s *Store) TakeCode(ctx context.Context, r storage.TakeRequest) (storage.TakeResult, error) {
	keys := s.decidingKeys(r.User, held, denied, people, codes, bodies, logouts)
	args := []any{0, r.ID[:], millis(r.DenyFor), r.Attempt[:], r.Client[:], unixMillis(r.BegunAfter), millis(r.Note)}
	a, err := s.decide(ctx, "take_code", s.scripts().takeCode, keys, args...)
	if err != nil {
		return storage.TakeResult{}, err
	}
	res := storage.TakeResult{
		Outcome: storage.CodeOutcome(a.int()),
		Now:     a.millis(),
		TakenAt: a.millis(),
		IssueAt: a.millis(),
		Body:    a.bytes(),
	}
	if ended := a.int(); ended != 0 {
		res.Ended = time.Unix(ended, 0)
	}
	res.Owner, res.Mine = a.id16(), a.bool()
	res.Profile = readProfile(&a)
	if a.err != nil {
		return storage.TakeResult{}, a.err
	}
	if res.Outcome == storage.CodeTaken {
		s.journal.add(s.scripts().takeCode, keys, args...)
	}
	return res, nil
}
