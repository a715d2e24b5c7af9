package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// DenyToken implements tokens.Denials.
func (s *Store) DenyToken(ctx context.Context, user tokens.UserTag, id tokens.TokenID, until time.Time) error {
	_, err := s.decide(ctx, "deny_token", s.scripts.denyToken, s.userKeys(user, held, denied), id[:], ceilMillis(until))
	return err
}

// ceilMillis returns a time in milliseconds, rounded up.
func ceilMillis(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// denialsPerScript is for how many users one run of the script answers, so
// that the run stays far below a millisecond.
const denialsPerScript = 64

// Denials implements tokens.Denials. All questions are sent at once.
func (s *Store) Denials(ctx context.Context, users []tokens.UserTag) ([]tokens.UserDenials, error) {
	answers := make([]tokens.UserDenials, 0, len(users))
	err := s.call(ctx, "denials", func(ctx context.Context, c *connection) error {
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
		all, err := s.evalAll(ctx, c, s.scripts.denials, groups)
		if err != nil {
			return err
		}
		for i := range all {
			if err := readDenials(&all[i], len(groups[i]), &answers); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// evalAll runs a reading script for each group of keys, in one pipeline.
func (s *Store) evalAll(ctx context.Context, c *connection, sc *script, groups [][]string) ([]answer, error) {
	if len(groups) == 1 {
		a, err := s.eval(ctx, c, sc, groups[0])
		return []answer{a}, err
	}
	first := s.calls.Add(uint64(len(groups))) - uint64(len(groups)) + 1
	pipe := c.client.Pipeline()
	cmds := make([]*redis.Cmd, len(groups))
	for i, keys := range groups {
		cmds[i] = sc.EvalSha(ctx, pipe, keys, first+uint64(i))
	}
	_, _ = pipe.Exec(ctx) // each command has its error
	answers := make([]answer, len(groups))
	for i, cmd := range cmds {
		v, err := cmd.Slice()
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			answers[i], err = s.eval(ctx, c, sc, groups[i])
		} else if err == nil {
			answers[i], err = readAnswer(v, first+uint64(i))
		}
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// readDenials adds the denylists of n users.
func readDenials(a *answer, n int, answers *[]tokens.UserDenials) error {
	now := a.millis()
	for range n {
		var u tokens.UserDenials
		if list := a.list(); len(list) > 0 {
			if err := pairs(list, func(name, value string) error { return addDenial(&u, name, value, now) }); err != nil {
				return err
			}
		}
		*answers = append(*answers, u)
	}
	return a.err
}

// kindMarks is the field of a user's denylist that holds for the whole user;
// the others are those of tokens.DenialKind.
const kindMarks = 0

// addDenial adds one field of lua/denylist.lua, if it is live.
func addDenial(u *tokens.UserDenials, name, value string, now time.Time) error {
	switch kind := name[0]; kind {
	case kindMarks:
		if err := checkRecord(value, 27); err != nil {
			return err
		}
		if now.Before(seconds(value[5:])) {
			u.Before = seconds(value[1:])
		}
	case byte(tokens.DenyToken), byte(tokens.DenyFamily), byte(tokens.DenySession):
		if err := checkRecord(value, 14); err != nil {
			return err
		}
		if until := seconds(value[1:]); now.Before(until) {
			entry := tokens.Denial{Kind: tokens.DenialKind(kind), Until: until}
			copy(entry.ID[:], name[1:])
			u.Entries = append(u.Entries, entry)
		}
	default:
		// Not to know what an entry denies is not to know what is denied.
		return errNewerRecord
	}
	return nil
}

// EndClient implements tokens.Denials.
func (s *Store) EndClient(ctx context.Context, client tokens.ClientTag) (time.Time, error) {
	a, err := s.decide(ctx, "end_client", s.scripts.endClient, []string{s.key("clients")}, client[:])
	if err != nil {
		return time.Time{}, err
	}
	before := a.int()
	return time.Unix(before, 0), a.err
}

// ClientWatermarks implements tokens.Denials.
func (s *Store) ClientWatermarks(ctx context.Context) (marks map[tokens.ClientTag]time.Time, err error) {
	err = s.call(ctx, "client_watermarks", func(ctx context.Context, c *connection) error {
		marks, err = s.watermarks(ctx, c)
		return err
	})
	return marks, err
}

func (s *Store) watermarks(ctx context.Context, c *connection) (map[tokens.ClientTag]time.Time, error) {
	a, err := s.eval(ctx, c, s.scripts.watermarks, []string{s.key("clients")})
	if err != nil {
		return nil, err
	}
	marks := map[tokens.ClientTag]time.Time{}
	err = pairs(a.list(), func(client, record string) error {
		if err := checkRecord(record, 5); err != nil {
			return err
		}
		if len(client) != len(tokens.ClientTag{}) {
			return errBadRecord
		}
		marks[tokens.ClientTag([]byte(client))] = seconds(record[1:])
		return nil
	})
	if err == nil {
		err = a.err
	}
	return marks, err
}
