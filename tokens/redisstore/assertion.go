package redisstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// UseAssertion implements tokens.Assertions.
func (s *Store) UseAssertion(ctx context.Context, r tokens.AssertionRequest) (tokens.AssertionOutcome, error) {
	keys, args := []string{s.key("a:" + r.ID.String())}, []any{unixMillis(r.Until), r.Attempt[:]}
	a, err := s.decide(ctx, "use_assertion", s.scripts().useAssertion, keys, args...)
	if err != nil {
		return tokens.AssertionUsed, err
	}
	outcome := tokens.AssertionOutcome(a.int())
	if outcome == tokens.AssertionFirst {
		s.journal.add(s.scripts().useAssertion, keys, args...)
	}
	return outcome, a.err
}
