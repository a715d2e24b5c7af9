package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// Export implements tokens.Transfers. Every node on the store stops within the
// lease; the export begins when that is over and the last call has ended.
func (s *Store) Export(ctx context.Context, each func(tokens.Record) error) error {
	var before bool
	var stopped time.Duration
	err := s.call(ctx, "export", func(ctx context.Context, c *connection) (err error) {
		stopped = s.stopAfter(c.options)
		before, err = s.markMoved(ctx, c, "1")
		return err
	})
	if err == nil {
		err = s.exportAfter(ctx, stopped, each)
	}
	if err != nil && !before {
		_, undone := s.Resume(context.WithoutCancel(ctx))
		err = errors.Join(err, undone)
	}
	return err
}

func (s *Store) exportAfter(ctx context.Context, stopped time.Duration, each func(tokens.Record) error) error {
	s.seen.Store(nil)
	select {
	case <-time.After(stopped):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.exportStanding(ctx, each); err != nil {
		return err
	}
	if err := s.scan(ctx, "*", s.readAny, each); err != nil {
		return err
	}
	return s.call(ctx, "export", func(ctx context.Context, c *connection) error {
		moved, err := s.markMoved(ctx, c, "")
		if err == nil && !moved {
			err = unfitError("exporting the store: somebody has let it go on meanwhile, or it was emptied: run it again")
		}
		return err
	})
}

// exportStanding brings what is in keys of its own. Grants and clients are few.
func (s *Store) exportStanding(ctx context.Context, each func(tokens.Record) error) error {
	var records []tokens.Record
	err := s.call(ctx, "export", func(ctx context.Context, c *connection) (err error) {
		store, err := s.storeRecord(ctx, c)
		if err != nil {
			return err
		}
		records = append(records, tokens.Record{Store: store})
		grants, err := s.hash(ctx, c, s.common("grants"), func(id, value string) (tokens.Record, error) {
			if len(id) != len(tokens.GrantID{}) || value == "" || value[0] != 1 {
				return tokens.Record{}, errBadRecord
			}
			return tokens.Record{Grant: &tokens.GrantRecord{ID: tokens.GrantID([]byte(id)), Text: []byte(value[1:])}}, nil
		})
		if err != nil {
			return err
		}
		clients, err := s.watermarks(ctx, c)
		if err != nil {
			return err
		}
		records = append(records, grants...)
		for client, before := range clients {
			records = append(records, tokens.Record{Client: &tokens.ClientRecord{Client: client, Before: before}})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

// hash reads a whole hash.
func (s *Store) hash(ctx context.Context, c *connection, key string, read func(field, value string) (tokens.Record, error)) ([]tokens.Record, error) {
	a, err := s.eval(ctx, c, s.scripts().denials, []string{key}) // which returns any hash
	if err != nil {
		return nil, err
	}
	_ = a.millis()
	var records []tokens.Record
	err = pairs(a.list(), func(field, value string) error {
		r, err := read(field, value)
		records = append(records, r)
		return err
	})
	return records, cmp.Or(err, a.err)
}

func (s *Store) storeRecord(ctx context.Context, c *connection) (*tokens.StoreRecord, error) {
	o := s.opening.Load()
	a, err := s.eval(ctx, c, s.scripts().born, []string{s.common("store")})
	if err != nil {
		return nil, err
	}
	r := &tokens.StoreRecord{Now: a.millis(), Born: a.millis(), TokenLifetime: o.result.TokenLifetime, Secrets: o.request.Secrets, Issuers: o.request.Issuers}
	if err := a.err; err != nil {
		return nil, err
	}
	if !r.Born.Equal(o.result.Born) {
		return nil, unfitError("exporting the store: it is another one than was opened")
	}
	a, err = s.eval(ctx, c, s.scripts().keys, []string{s.common("keys")})
	if err != nil {
		return nil, err
	}
	r.KeysVersion, r.Keys, err = readKeys(&a)
	return r, err
}

// readAny reads whatever the keys hold. What a later version keeps, this one
// can't move, and leaving it out could revive what was ended.
func (s *Store) readAny(ctx context.Context, c *connection, keys []string) ([]tokens.Record, error) {
	var users, assertions []string
	for _, key := range keys {
		_, kind, ok := s.keyKind(key)
		name := strings.TrimPrefix(key, s.options.KeyPrefix)
		switch {
		case ok && slices.Contains([]string{held, denied, codes}, kind):
			users = append(users, key)
		case ok && slices.Contains([]string{ended, devices}, kind):
			// Answers to a call that is sent again, and logins of devices that
			// are under way: neither outlives the move.
		case strings.HasPrefix(name, "h:"), strings.HasPrefix(name, "q:"): // what has happened to families; no decision rests on it
		case key == s.aheadKey(): // outlived by the export itself
		case strings.HasPrefix(name, probed): // lives for a minute
		case strings.HasPrefix(name, "a:"):
			assertions = append(assertions, key)
		case slices.Contains([]string{s.key("clients"), s.common("grants"), s.common("keys"), s.common("store")}, key), strings.HasPrefix(name, "{feed}"):
		default:
			return nil, unfitError(fmt.Sprintf("exporting the store: it keeps %q, which this version can't move", key))
		}
	}
	records, err := s.readUsers(ctx, c, tokens.AllParts, users)
	if err != nil {
		return nil, err
	}
	more, err := s.readAssertions(ctx, c, assertions)
	return append(records, more...), err
}

func (s *Store) readAssertions(ctx context.Context, c *connection, keys []string) ([]tokens.Record, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	a, err := s.eval(ctx, c, s.scripts().born, []string{s.common("store")})
	if err != nil {
		return nil, err
	}
	now := a.millis()
	pipe := c.client.Pipeline()
	left := make([]*redis.DurationCmd, len(keys))
	for i, key := range keys {
		left[i] = pipe.PTTL(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var records []tokens.Record
	for i, key := range keys {
		id, ok := tokens.ParseAssertionID(strings.TrimPrefix(key, s.key("a:")))
		if !ok {
			return nil, errBadRecord
		}
		if d := left[i].Val(); d > 0 {
			records = append(records, tokens.Record{Assertion: &tokens.AssertionRecord{ID: id, Until: now.Add(d)}})
		}
	}
	return records, nil
}

// Resume implements tokens.Transfers.
func (s *Store) Resume(ctx context.Context) (was bool, err error) {
	err = s.call(ctx, "resume", func(ctx context.Context, c *connection) error {
		was, err = s.markMoved(ctx, c, "0")
		return err
	})
	s.seen.Store(nil)
	return was, err
}
