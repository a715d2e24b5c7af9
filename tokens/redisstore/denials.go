package redisstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// DenyToken implements storage.Denials.
func (s *Store) DenyToken(ctx context.Context, user storage.UserTag, id storage.TokenID, until time.Time) error {
	return s.lasting(ctx, "deny_token", s.scripts().denyToken, s.userKeys(user, held, denied), id[:], ceilMillis(until))
}

// ceilMillis returns a time in milliseconds, rounded up.
func ceilMillis(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// denialsPerScript is for how many users one run of the script answers, so
// that the run stays far below a millisecond.
const denialsPerScript = 64

// Denials implements storage.Denials. All questions are sent at once.
func (s *Store) Denials(ctx context.Context, users []storage.UserTag) ([]storage.UserDenials, error) {
	answers := make([]storage.UserDenials, 0, len(users))
	err := s.call(ctx, "denials", func(limited context.Context, c *connection) error {
		per := denialsPerScript
		if s.options.Mode == Cluster {
			per = 1 // each in its slot
		}
		var groups [][]string
		for group := range slices.Chunk(users, per) {
			keys := make([]string, len(group))
			for i, user := range group {
				keys[i] = s.userKey(user, denied)
			}
			groups = append(groups, keys)
		}
		all, errs := s.evalAll(limited, c, s.scripts().denials, groups)
		failed := 0
		for i := range all {
			if errs[i] == nil {
				errs[i] = readDenials(&all[i], len(groups[i]), &answers)
			}
			if errs[i] != nil {
				failed++
				for range groups[i] {
					answers = append(answers, storage.UserDenials{Err: c.options.explain(ctx, errs[i])})
				}
			}
		}
		if failed == len(groups) {
			return cmp.Or(errs...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// evalAll runs a reading script for each group of keys, in one pipeline. Each
// has its answer or error: in a Cluster some may fail alone.
func (s *Store) evalAll(ctx context.Context, c *connection, sc *script, groups [][]string) ([]answer, []error) {
	answers, errs := make([]answer, len(groups)), make([]error, len(groups))
	if len(groups) == 1 {
		answers[0], errs[0] = s.eval(ctx, c, sc, groups[0])
		return answers, errs
	}
	first := s.calls.Add(uint64(len(groups))) - uint64(len(groups)) + 1
	pipe := c.client.Pipeline()
	cmds := make([]*redis.Cmd, len(groups))
	for i, keys := range groups {
		cmds[i] = sc.EvalSha(ctx, pipe, keys, first+uint64(i))
	}
	_, _ = pipe.Exec(ctx) // each command has its error
	for i, cmd := range cmds {
		v, err := cmd.Slice()
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			answers[i], errs[i] = s.eval(ctx, c, sc, groups[i])
		} else if errs[i] = err; err == nil {
			answers[i], errs[i] = readAnswer(v, first+uint64(i))
		}
	}
	return answers, errs
}

// readDenials adds the denylists of n users, or none of them.
func readDenials(a *answer, n int, answers *[]storage.UserDenials) error {
	now := a.millis()
	read := *answers
	for range n {
		var u storage.UserDenials
		if list := a.list(); len(list) > 0 {
			if err := pairs(list, func(name, value string) error { return addDenial(&u, name, value, now) }); err != nil {
				return err
			}
		}
		read = append(read, u)
	}
	if a.err == nil {
		*answers = read
	}
	return a.err
}

// kindMarks is the field of a user's denylist that holds for the whole user;
// the others are those of storage.DenialKind.
const kindMarks = 0

// What the record of kindMarks is (lua/denylist.lua).
const marksVersion, marksSize = 2, 31

// addDenial adds one field of lua/denylist.lua, if it is live.
func addDenial(u *storage.UserDenials, name, value string, now time.Time) error {
	switch kind := name[0]; kind {
	case kindMarks:
		if err := checkRecord(value, marksVersion, marksSize); err != nil {
			return err
		}
		if now.Before(seconds(value[5:])) {
			u.Before = seconds(value[1:])
		}
	case byte(storage.DenyToken), byte(storage.DenyFamily), byte(storage.DenySession), byte(storage.DenyUser), byte(storage.DenyIssued), byte(storage.DenyClient):
		size := 14
		if kind == byte(storage.DenyClient) {
			size = 18 // with until when it is withdrawn
		}
		if err := checkRecord(value, 1, size); err != nil {
			return err
		}
		if until := seconds(value[1:]); now.Before(until) {
			entry := storage.Denial{Kind: storage.DenialKind(kind), Until: until}
			copy(entry.ID[:], name[1:])
			if size == 18 {
				copy(entry.ID[8:], value[14:])
			}
			u.Entries = append(u.Entries, entry)
		}
	default:
		// Not to know what an entry denies is not to know what is denied.
		return errNewerRecord
	}
	return nil
}
