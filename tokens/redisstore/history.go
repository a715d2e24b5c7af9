package redisstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// A history is a list of notes. Nothing is decided by it, so it is written in one
// pipeline, whatever comes of a part of it, and has no slot with anything else.
func (s *Store) historyKey(id storage.FamilyID) string { return s.key("h:" + id.String()) }

func (s *Store) requestKey(request storage.RequestTag) string { return s.key("q:" + request.String()) }

// AppendHistory implements storage.Histories.
func (s *Store) AppendHistory(ctx context.Context, notes []storage.Note) error {
	return s.call(ctx, "append_history", func(ctx context.Context, c *connection) error {
		pipe := c.client.Pipeline()
		added := make([]*redis.Cmd, len(notes))
		for i, n := range notes {
			switch {
			case len(n.Text) == 0:
				pipe.PExpire(ctx, s.historyKey(n.Family), storage.HistoryAge)
				continue
			case n.Request != (storage.RequestTag{}):
				pipe.Set(ctx, s.requestKey(n.Request), n.Family[:], storage.HistoryAge)
			}
			added[i] = s.addNote(ctx, pipe, s.scripts().appendHistory.EvalSha, n)
		}
		_, err := pipe.Exec(ctx)
		if !redis.HasErrorPrefix(err, "NOSCRIPT") {
			return err
		}
		// Servers that do not know the script have added nothing; others of a Cluster have.
		again := c.client.Pipeline()
		for i, n := range notes {
			if added[i] != nil && redis.HasErrorPrefix(added[i].Err(), "NOSCRIPT") {
				s.addNote(ctx, again, s.scripts().appendHistory.Eval, n)
			}
		}
		_, err = again.Exec(ctx)
		return err
	})
}

// runScript is one of the ways to run a script.
type runScript = func(ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

func (s *Store) addNote(ctx context.Context, pipe redis.Pipeliner, run runScript, n storage.Note) *redis.Cmd {
	return run(ctx, pipe, []string{s.historyKey(n.Family)}, n.Text, storage.HistoryLength, millis(storage.HistoryAge))
}

// historiesPerScript is how many families one run of the script answers for.
const historiesPerScript = 64

// History implements storage.Histories.
func (s *Store) History(ctx context.Context, families []storage.FamilyID) ([][]storage.Note, error) {
	all := make([][]storage.Note, 0, len(families))
	err := s.call(ctx, "history", func(ctx context.Context, c *connection) error {
		per := historiesPerScript
		if s.options.Mode == Cluster {
			per = 1 // each in its slot
		}
		var groups [][]string
		for group := range slices.Chunk(families, per) {
			keys := make([]string, len(group))
			for i, id := range group {
				keys[i] = s.historyKey(id)
			}
			groups = append(groups, keys)
		}
		answers, errs := s.evalAll(ctx, c, s.scripts().history, groups)
		for i, a := range answers {
			if errs[i] != nil {
				return errs[i]
			}
			for range groups[i] {
				notes, err := readNotes(families[len(all)], a.list())
				if err != nil {
					return err
				}
				all = append(all, notes)
			}
			if a.err != nil {
				return a.err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func readNotes(id storage.FamilyID, list []any) ([]storage.Note, error) {
	var notes []storage.Note
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			return nil, errBadAnswer
		}
		notes = append(notes, storage.Note{Family: id, Text: []byte(text)})
	}
	return notes, nil
}

// FamilyOfRequest implements storage.Histories.
func (s *Store) FamilyOfRequest(ctx context.Context, request storage.RequestTag) (id storage.FamilyID, found bool, err error) {
	a, err := s.decide(ctx, "family_of_request", s.scripts().familyOfRequest, []string{s.requestKey(request)})
	if err != nil {
		return id, false, err
	}
	text := a.bytes()
	switch {
	case a.err != nil:
		return id, false, a.err
	case text == nil:
		return id, false, nil
	case len(text) != len(id):
		return id, false, fmt.Errorf("finding the family of a request: %w", errBadRecord)
	}
	return storage.FamilyID(text), true, nil
}
