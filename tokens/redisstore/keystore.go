package redisstore

import (
	"context"
	"strconv"
	"time"
)

// Keys implements storage.KeyStore.
func (s *Store) Keys(ctx context.Context) (sealed []byte, version uint64, err error) {
	a, err := s.decide(ctx, "keys", s.scripts().keys, []string{s.common("keys")})
	if err != nil {
		return nil, 0, err
	}
	version, sealed, err = readKeys(&a)
	return sealed, version, err
}

// readKeys reads the answer of lua/keys.lua.
func readKeys(a *answer) (version uint64, sealed []byte, err error) {
	number := a.text()
	sealed = a.bytes()
	if a.err != nil {
		return 0, nil, a.err
	}
	version, err = strconv.ParseUint(number, 10, 64)
	if err != nil {
		return 0, nil, errBadRecord
	}
	return version, sealed, nil
}

// SwapKeys implements storage.KeyStore.
func (s *Store) SwapKeys(ctx context.Context, version uint64, sealed []byte) (bool, error) {
	a, err := s.decide(ctx, "swap_keys", s.scripts().swapKeys, []string{s.common("keys")}, version, version+1, sealed)
	if err != nil {
		return false, err
	}
	swapped := a.bool()
	return swapped, a.err
}

// Now implements storage.KeyStore.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	a, err := s.decide(ctx, "now", s.scripts().born, []string{s.common("store")})
	if err != nil {
		return time.Time{}, err
	}
	now := a.millis()
	return now, a.err
}
