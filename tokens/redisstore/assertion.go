package redisstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// UseAssertion implements storage.Assertions.
func (s *Store) UseAssertion(ctx context.Context, r storage.AssertionRequest) (storage.AssertionOutcome, error) {
	keys, args := []string{s.key("a:" + r.ID.String())}, []any{unixMillis(r.Until), r.Attempt[:]}
	a, err := s.decide(ctx, "use_assertion", s.scripts().useAssertion, keys, args...)
	if err != nil {
		return storage.AssertionUsed, err
	}
	outcome := storage.AssertionOutcome(a.int())
	if outcome == storage.AssertionFirst {
		s.journal.add(s.scripts().useAssertion, keys, args...)
	}
	return outcome, a.err
}
