package redisstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// PutCode implements tokens.Codes.
func (s *Store) PutCode(ctx context.Context, r tokens.PutRequest) (kept bool, err error) {
	a, err := s.decide(ctx, "put_code", s.scripts.putCode, s.userKeys(r.User, held, codes),
		0, r.ID[:], millis(r.Lifetime), r.Session[:], r.Body)
	if err != nil {
		return false, err
	}
	kept = a.bool()
	return kept, a.err
}

// TakeCode implements tokens.Codes.
func (s *Store) TakeCode(ctx context.Context, r tokens.TakeRequest) (tokens.TakeResult, error) {
	a, err := s.decide(ctx, "take_code", s.scripts.takeCode, s.decidingKeys(r.User, held, denied, codes),
		0, r.ID[:], millis(r.DenyFor), r.Attempt[:], r.Client[:], unixMillis(r.BegunAfter))
	if err != nil {
		return tokens.TakeResult{}, err
	}
	res := tokens.TakeResult{
		Outcome: tokens.CodeOutcome(a.int()),
		Now:     a.millis(),
		TakenAt: a.millis(),
		IssueAt: a.millis(),
		Body:    a.bytes(),
		Profile: a.bytes(),
	}
	if a.err != nil {
		return tokens.TakeResult{}, a.err
	}
	return res, nil
}
