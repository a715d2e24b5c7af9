package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// scanPage is about how many keys one step of a scan looks at.
const scanPage = 256

// Enable implements storage.Users. It goes into the journal, behind the disabling
// that a failover would repeat. One that another node repeats later holds: a
// user is shut out rather than let in, until enabled once more.
func (s *Store) Enable(ctx context.Context, user storage.UserTag, attempt storage.Attempt) (bool, error) {
	keys, args := s.userKeys(user, held, denied), []any{attempt[:]}
	a, err := s.decide(ctx, "enable", s.scripts().enable, keys, args...)
	if err != nil {
		return false, err
	}
	was := a.bool()
	s.journal.add(s.scripts().enable, keys, args...)
	return was, a.err
}

// Held implements storage.Users.
func (s *Store) Held(ctx context.Context, user storage.UserTag) (storage.HeldRecord, error) {
	a, err := s.decide(ctx, "held", s.scripts().scanHeld, s.userKeys(user, held, people))
	if err != nil {
		return storage.HeldRecord{User: user}, err
	}
	r, err := readHeld(user, &a)
	if err = cmp.Or(err, a.err); err != nil || r.Held == nil {
		return storage.HeldRecord{User: user}, err
	}
	return *r.Held, nil
}

// ScanUsers implements storage.Users.
func (s *Store) ScanUsers(ctx context.Context, parts storage.UserParts, each func(storage.Record) error) error {
	return s.scan(ctx, "{*}*", func(ctx context.Context, c *connection, keys []string) ([]storage.Record, error) {
		return s.readUsers(ctx, c, parts, keys)
	}, each)
}

// scan walks through the keys that match, on one server after the other.
func (s *Store) scan(ctx context.Context, pattern string, read func(context.Context, *connection, []string) ([]storage.Record, error), each func(storage.Record) error) error {
	var servers []server
	err := s.call(ctx, "scan_users", func(ctx context.Context, c *connection) (err error) {
		servers, err = primaries(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	for _, one := range servers {
		for cursor, done := uint64(0), false; !done; done = cursor == 0 {
			var records []storage.Record
			err := s.call(ctx, "scan_users", func(ctx context.Context, c *connection) error {
				keys, next, err := one.client.Scan(ctx, cursor, s.options.KeyPrefix+pattern, scanPage).Result()
				if err != nil {
					return err
				}
				cursor = next
				records, err = read(ctx, c, keys)
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
		}
	}
	return s.call(ctx, "scan_users", func(ctx context.Context, c *connection) error {
		after, err := primaries(ctx, c)
		if err == nil && !slices.EqualFunc(servers, after, func(a, b server) bool { return a.shape == b.shape }) {
			return errReshaped
		}
		return err
	})
}

// errReshaped is a scan that may have missed keys.
var errReshaped = unfitError("scanning the store: keys were moving between its servers, or another server has taken over: run it again")

// server is one that takes writes.
type server struct {
	client *redis.Client
	// shape is what must be the same when a scan ends as when it began: which
	// process it is, and which slots it serves. Else keys may have been missed.
	shape string
}

// primaries returns the servers that take writes, in an order of their own.
func primaries(ctx context.Context, c *connection) ([]server, error) {
	cluster, ok := c.client.(*redis.ClusterClient)
	if !ok {
		one := server{client: c.client.(*redis.Client)}
		info, err := one.client.Info(ctx, "server").Result()
		one.shape = readInfo(info)["run_id"]
		return []server{one}, err
	}
	var (
		mu      sync.Mutex
		servers []server
	)
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, client *redis.Client) error {
		info, err := client.Info(ctx, "server").Result()
		if err != nil {
			return err
		}
		nodes, err := client.ClusterNodes(ctx).Result()
		if err != nil {
			return err
		}
		slots, err := ownSlots(nodes)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		servers = append(servers, server{client: client, shape: readInfo(info)["run_id"] + slots})
		return nil
	})
	slices.SortFunc(servers, func(a, b server) int { return strings.Compare(a.shape, b.shape) })
	return servers, err
}

// ownSlots returns the slots that a node of a Cluster serves, from its own CLUSTER NODES.
func ownSlots(nodes string) (string, error) {
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !strings.Contains(fields[2], "myself") {
			continue
		}
		slots := strings.Join(fields[8:], " ")
		if strings.Contains(slots, "-<-") || strings.Contains(slots, "->-") {
			return "", errReshaped
		}
		return slots, nil
	}
	return "", errors.New("scanning the store: a node of the Cluster does not know itself")
}

// keyKind takes a user's key apart; false for any other key.
func (s *Store) keyKind(key string) (user storage.UserTag, kind string, ok bool) {
	rest, found := strings.CutPrefix(key, s.options.KeyPrefix+"{")
	tag, kind, closed := strings.Cut(rest, "}")
	if !found || !closed {
		return user, "", false
	}
	user, ok = storage.ParseUserTag(tag)
	return user, kind, ok
}

// readUsers reads those of the keys that hold a part that is asked for.
func (s *Store) readUsers(ctx context.Context, c *connection, parts storage.UserParts, keys []string) ([]storage.Record, error) {
	var records []storage.Record
	for _, p := range []struct {
		part   storage.UserParts
		kind   string
		beside []string // read with it
		script *script
		read   func(user storage.UserTag, a *answer) (storage.Record, error)
	}{
		{storage.PartHeld, held, []string{people}, s.scripts().scanHeld, readHeld},
		{storage.PartDenied, denied, nil, s.scripts().denials, readDenied},
		{storage.PartCodes, codes, []string{bodies}, s.scripts().denials, readCodes}, // which returns any hash
		{storage.PartUpstreams, upstreams, nil, s.scripts().denials, readUpstreams},
		{storage.PartConsents, consents, nil, s.scripts().denials, readConsents},
		{storage.PartIndex, indexes, nil, s.scripts().findIndex, readIndex},
		{storage.PartOutbox, logouts, nil, s.scripts().denials, readOutbox},
	} {
		if parts&p.part == 0 {
			continue
		}
		var users []storage.UserTag
		var groups [][]string
		for _, key := range keys {
			if user, kind, ok := s.keyKind(key); ok && kind == p.kind {
				users, groups = append(users, user), append(groups, s.userKeys(user, append([]string{kind}, p.beside...)...))
			}
		}
		if len(groups) == 0 {
			continue
		}
		answers, errs := s.evalAll(ctx, c, p.script, groups)
		for i := range answers {
			if errs[i] != nil {
				return nil, errs[i]
			}
			r, err := p.read(users[i], &answers[i])
			if err = cmp.Or(err, answers[i].err); err != nil {
				return nil, fmt.Errorf("reading what belongs to user %s: %w", users[i], err)
			}
			if r != (storage.Record{}) {
				records = append(records, r)
			}
		}
	}
	return records, nil
}

func readHeld(user storage.UserTag, a *answer) (storage.Record, error) {
	h := &storage.HeldRecord{User: user}
	now := a.millis()
	h.Profile = readProfile(a)
	err := pairs(a.list(), func(id, record string) error {
		switch len(id) {
		case len(storage.FamilyID{}):
			f := storage.Family{ID: storage.FamilyID([]byte(id))}
			if err := f.UnmarshalBinary([]byte(record)); err != nil {
				return err
			}
			if !f.Dead(now) {
				h.Families = append(h.Families, f)
			}
		case len(storage.SessionID{}):
			session, err := readSession(record, user, storage.SessionID([]byte(id)))
			if err != nil {
				return err
			}
			if session.Expires.IsZero() || now.Before(session.Expires) {
				h.Sessions = append(h.Sessions, session)
			}
		default:
			return errNewerRecord
		}
		return nil
	})
	if err != nil || h.Profile.Subject == "" && len(h.Families)+len(h.Sessions) == 0 {
		return storage.Record{}, err
	}
	slices.SortFunc(h.Families, byAge)
	slices.SortFunc(h.Sessions, func(a, b storage.Session) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return storage.Record{Held: h}, nil
}

func readDenied(user storage.UserTag, a *answer) (storage.Record, error) {
	d := &storage.DeniedRecord{User: user}
	now := a.millis()
	err := pairs(a.list(), func(name, value string) error {
		if name[0] == kindMarks {
			if err := checkRecord(value, marksVersion, marksSize); err != nil {
				return err
			}
			d.Before, d.Until, d.Issued, d.Folded = seconds(value[1:]), seconds(value[5:]), seconds(value[9:]), seconds(value[13:])
			return nil
		}
		var live storage.UserDenials
		if err := addDenial(&live, name, value, now); err != nil || len(live.Entries) == 0 {
			return err
		}
		d.Entries = append(d.Entries, storage.DenialEntry{
			Denial: live.Entries[0], Attempt: storage.Attempt([]byte(value[5:13])), Lived: value[13]&1 != 0, Reused: value[13]&2 != 0,
		})
		return nil
	})
	if err != nil || len(d.Entries) == 0 && d.Before.IsZero() && d.Issued.IsZero() && d.Folded.IsZero() {
		return storage.Record{}, err
	}
	slices.SortFunc(d.Entries, func(a, b storage.DenialEntry) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return storage.Record{Denied: d}, nil
}

func readCodes(user storage.UserTag, a *answer) (storage.Record, error) {
	c := &storage.CodesRecord{User: user}
	now, codes, texts := a.millis(), a.list(), map[string]string{}
	err := pairs(a.list(), func(id, body string) error {
		texts[id] = body
		return nil
	})
	if err != nil {
		return storage.Record{}, err
	}
	err = pairs(codes, func(id, value string) error {
		if err := checkRecord(value, codeVersion, codeSize); err != nil {
			return err
		}
		if len(id) != len(storage.CodeID{}) {
			return errBadRecord
		}
		code := storage.CodeEntry{
			ID: storage.CodeID([]byte(id)), Put: seconds(value[1:]), Expires: storage.ReadMillis6([]byte(value[5:])), Taken: storage.ReadMillis6([]byte(value[11:])),
			Attempt: storage.Attempt([]byte(value[17:25])), Session: storage.SessionID([]byte(value[25:33])), Owner: [16]byte([]byte(value[33:])),
		}
		if body, found := texts[id]; found {
			code.Body = []byte(body)
		}
		if now.Before(code.Expires) {
			c.Codes = append(c.Codes, code)
		}
		return nil
	})
	if err != nil || len(c.Codes) == 0 {
		return storage.Record{}, err
	}
	slices.SortFunc(c.Codes, func(a, b storage.CodeEntry) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return storage.Record{Codes: c}, nil
}

// What the record of a code is (lua/code.lua).
const codeVersion, codeSize = 2, 49
