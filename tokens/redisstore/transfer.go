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

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Export implements storage.Transfers. Every node on the store stops within the
// lease; the export begins when that is over and the last call has ended.
func (s *Store) Export(ctx context.Context, each func(storage.Record) error) error {
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

func (s *Store) exportAfter(ctx context.Context, stopped time.Duration, each func(storage.Record) error) error {
	s.seen.Store(nil)
	select {
	case <-time.After(stopped):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.exportStanding(ctx, each); err != nil {
		return err
	}
	if err := s.exportDocuments(ctx, each); err != nil {
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

// exportStanding brings what the store knows of itself, and the clients and aliases, which are few.
func (s *Store) exportStanding(ctx context.Context, each func(storage.Record) error) error {
	var records []storage.Record
	err := s.call(ctx, "export", func(ctx context.Context, c *connection) (err error) {
		store, err := s.storeRecord(ctx, c)
		if err != nil {
			return err
		}
		records = append(records, storage.Record{Store: store})
		clients, err := s.watermarks(ctx, c)
		if err != nil {
			return err
		}
		for i := range clients {
			records = append(records, storage.Record{Client: &clients[i]})
		}
		aliases, err := s.aliases(ctx, c)
		for i := range aliases {
			records = append(records, storage.Record{Alias: &aliases[i]})
		}
		return err
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

func (s *Store) storeRecord(ctx context.Context, c *connection) (*storage.StoreRecord, error) {
	o := s.opening.Load()
	a, err := s.eval(ctx, c, s.scripts().born, []string{s.common("store")})
	if err != nil {
		return nil, err
	}
	r := &storage.StoreRecord{Now: a.millis(), Born: a.millis(), TokenLifetime: o.result.TokenLifetime, Secrets: o.request.Secrets, Issuers: o.request.Issuers}
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

// readAny reads whatever the keys hold.
func (s *Store) readAny(ctx context.Context, c *connection, keys []string) ([]storage.Record, error) {
	users, assertions, grants, err := s.kindsOf(keys)
	if err != nil {
		return nil, err
	}
	records, err := s.readUsers(ctx, c, storage.AllParts, users)
	if err != nil || len(assertions)+len(grants) == 0 {
		return records, err
	}
	a, err := s.eval(ctx, c, s.scripts().born, []string{s.common("store")})
	if err != nil {
		return nil, err
	}
	now := a.millis()
	more, err := s.readAssertions(ctx, c, assertions, now)
	if err != nil {
		return nil, err
	}
	texts, err := s.readGrants(ctx, c, grants, now)
	return slices.Concat(records, more, texts), cmp.Or(err, a.err)
}

// kindsOf returns which of the keys are of users, used assertions and grants. What a later
// version keeps, this one can't move, and leaving it out could revive what was ended.
func (s *Store) kindsOf(keys []string) (users, assertions, grants []string, err error) {
	for _, key := range keys {
		_, kind, ok := s.keyKind(key)
		name := strings.TrimPrefix(key, s.options.KeyPrefix)
		switch {
		case ok && slices.Contains([]string{held, denied, codes, upstreams, consents, indexes, logouts}, kind):
			users = append(users, key)
		case ok && slices.Contains([]string{people, bodies}, kind): // read with what the user holds, and with the codes
		case ok && slices.Contains([]string{ended, devices}, kind):
			// Answers to a call that is sent again, and logins of devices that
			// are under way: neither outlives the move.
		case strings.HasPrefix(name, outboxLead): // logouts that wait stay behind
		case strings.HasPrefix(name, "h:"), strings.HasPrefix(name, "q:"): // what has happened to families; no decision rests on it
		case slices.Contains(s.documentKeys(), key): // read apart
		case key == s.aheadKey(), key == s.nodesKey(): // outlived by the export itself
		case strings.HasPrefix(name, probed): // lives for a minute
		case strings.HasPrefix(name, "a:"):
			assertions = append(assertions, key)
		case strings.HasPrefix(key, s.common(grantKeys)):
			grants = append(grants, key)
		case slices.Contains([]string{s.key("clients"), s.common("keys"), s.common("store"), s.aliasesKey()}, key), strings.HasPrefix(name, "{feed}"):
		default:
			return nil, nil, nil, unfitError(fmt.Sprintf("exporting the store: it keeps %q, which this version can't move", key))
		}
	}
	return users, assertions, grants, nil
}

// readGrants reads the texts of grants that have not ended by the store's time.
func (s *Store) readGrants(ctx context.Context, c *connection, keys []string, now time.Time) ([]storage.Record, error) {
	pipe := c.client.Pipeline()
	texts := make([]*redis.StringCmd, len(keys))
	for i, key := range keys {
		texts[i] = pipe.Get(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	var records []storage.Record
	for i, key := range keys {
		id, ok := storage.ParseGrantID(strings.TrimPrefix(key, s.common(grantKeys)))
		text, err := texts[i].Result()
		switch {
		case errors.Is(err, redis.Nil):
			continue
		case err != nil:
			return nil, err
		case !ok || len(text) < 5:
			return nil, errBadRecord
		case text[0] != grantVersion:
			return nil, errNewerRecord
		}
		g := &storage.GrantRecord{ID: id, Text: []byte(text[5:]), Until: seconds(text[1:])}
		if g.Until.IsZero() || now.Before(g.Until) {
			records = append(records, storage.Record{Grant: g})
		}
	}
	return records, nil
}

// grantVersion leads the text of a grant (lua/put_grant.lua).
const grantVersion = 2

// readAssertions reads which assertions were used, and until when that is remembered, from
// the store's time on.
func (s *Store) readAssertions(ctx context.Context, c *connection, keys []string, now time.Time) ([]storage.Record, error) {
	pipe := c.client.Pipeline()
	left := make([]*redis.DurationCmd, len(keys))
	for i, key := range keys {
		left[i] = pipe.PTTL(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var records []storage.Record
	for i, key := range keys {
		id, ok := storage.ParseAssertionID(strings.TrimPrefix(key, s.key("a:")))
		if !ok {
			return nil, errBadRecord
		}
		if d := left[i].Val(); d > 0 {
			records = append(records, storage.Record{Assertion: &storage.AssertionRecord{ID: id, Until: now.Add(d)}})
		}
	}
	return records, nil
}

// Resume implements storage.Transfers.
func (s *Store) Resume(ctx context.Context) (was bool, err error) {
	err = s.call(ctx, "resume", func(ctx context.Context, c *connection) error {
		was, err = s.markMoved(ctx, c, "0")
		return err
	})
	s.seen.Store(nil)
	return was, err
}
