package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var errNoAddress = errors.New("no address of a Redis server is configured")

// Open implements storage.Store. An error with ErrUnreachable passes by itself,
// and the next Open may succeed; any other names the fix.
func (s *Store) Open(ctx context.Context, r storage.OpenRequest) (storage.OpenResult, error) {
	start := time.Now()
	result, err := s.open(ctx, r)
	s.options.OnCall(ctx, "open", time.Since(start), err)
	return result, err
}

func (s *Store) open(ctx context.Context, r storage.OpenRequest) (storage.OpenResult, error) {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	c, err := s.connected(ctx)
	if err != nil {
		return storage.OpenResult{}, s.opened(err)
	}
	r.Secrets, r.Issuers = slices.Clone(r.Secrets), slices.Clone(r.Issuers)
	result, err := s.mark(ctx, c, r)
	if err != nil {
		return storage.OpenResult{}, s.opened(err)
	}
	s.opening.Store(&opening{request: r, result: result})
	return result, nil
}

// connected makes the connection, if there is none, and looks at the servers,
// if that was not done. The caller holds s.lifecycle.
func (s *Store) connected(ctx context.Context) (*connection, error) {
	switch {
	case s.closed:
		return nil, errClosed
	case len(s.options.Addresses) == 0:
		return nil, errNoAddress
	}
	if s.conn == nil {
		encryption, err := s.wanted.encryption()
		if err != nil {
			return nil, err
		}
		c := s.connect(s.wanted, encryption)
		s.mu.Lock()
		s.conn = c
		s.mu.Unlock()
	}
	if s.opening.Load() != nil {
		return s.conn, nil
	}
	return s.conn, s.within(ctx, s.conn, checkServers)
}

// opened names the servers in an error. Nil stays nil.
func (s *Store) opened(err error) error {
	if err == nil || errors.Is(err, storage.ErrWrongSecret) {
		return err
	}
	return fmt.Errorf("opening the store at %s: %w", strings.Join(s.options.Addresses, ", "), err)
}

// mark compares the secrets and the issuers, and writes what the store is opened with.
func (s *Store) mark(ctx context.Context, c *connection, r storage.OpenRequest) (result storage.OpenResult, err error) {
	err = s.within(ctx, c, func(ctx context.Context, c *connection) error {
		a, err := s.eval(ctx, c, s.scripts().open, []string{s.common("store")}, millis(r.TokenLifetime), slices.Concat(slicesOf(r.Secrets)...), flag(r.Transfer), issuerLines(r.Issuers))
		if err != nil {
			return err
		}
		born := a.int()
		if born == otherIssuer {
			_, _ = a.int(), a.bytes()
			return cmp.Or(a.err, error(&storage.OtherIssuerError{Issuers: linesOf(a.text())}))
		}
		if refused, ok := notOpened[born]; ok {
			return refused
		}
		result.Born = time.UnixMilli(born)
		result.TokenLifetime = time.Duration(a.int()) * time.Millisecond
		known := a.bytes()
		if len(known)%16 != 0 {
			return errBadRecord
		}
		for id := range slices.Chunk(known, 16) {
			result.Secrets = append(result.Secrets, [16]byte(id))
		}
		result.Issuers = linesOf(a.text())
		return a.err
	})
	if err != nil {
		return storage.OpenResult{}, err
	}
	return result, nil
}

// notOpened is why lua/open.lua opens no store.
var notOpened = map[int64]error{
	0: storage.ErrWrongSecret, -1: storage.ErrMoved, -2: storage.ErrUnfinishedImport, -3: storage.ErrNoStore,
}

// otherIssuer is why lua/open.lua opens no store of another issuer.
const otherIssuer = -4

// issuerLines puts issuers into one text; linesOf takes them out.
func issuerLines(issuers []string) string { return strings.Join(issuers, "\n") }

func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func slicesOf(all [][16]byte) [][]byte {
	parts := make([][]byte, len(all))
	for i := range all {
		parts[i] = all[i][:]
	}
	return parts
}
