package boltstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// UseAssertion implements storage.Assertions.
func (s *Store) UseAssertion(ctx context.Context, r storage.AssertionRequest) (storage.AssertionOutcome, error) {
	return decide(ctx, s, "use_assertion", func(t *txn) (storage.AssertionOutcome, error) { return useAssertion(t, r) })
}

func useAssertion(t *txn, r storage.AssertionRequest) (storage.AssertionOutcome, error) {
	if !t.now.Before(r.Until) {
		return storage.AssertionOver, nil
	}
	var was assertionRecord
	found, err := t.read(assertions, r.ID[:], &was)
	switch {
	case err != nil:
		return storage.AssertionUsed, err
	case found && was.attempt == r.Attempt: // the same call sent again
		return storage.AssertionFirst, nil
	case found:
		return storage.AssertionUsed, nil
	}
	t.put(assertions, r.ID[:], assertionRecord{until: r.Until, attempt: r.Attempt}.encode())
	return storage.AssertionFirst, nil
}

// assertionRecord is a used assertion.
type assertionRecord struct {
	until   time.Time // milliseconds
	attempt storage.Attempt
}

func (r assertionRecord) encode() []byte {
	b := append(make([]byte, 0, 17), recordVersion)
	b = appendMillis(b, r.until)
	return append(b, r.attempt[:]...)
}

func (r *assertionRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.until = d.millis()
	copy(r.attempt[:], d.bytes(len(r.attempt)))
	return d.end()
}
