package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// importBatch is how many records of an import are sent at once.
const importBatch = 256

// Import implements storage.Transfers.
func (s *Store) Import(ctx context.Context, id [16]byte, records iter.Seq2[storage.Record, error]) error {
	start := time.Now()
	err := s.importAll(ctx, id, records)
	s.options.OnCall(ctx, "import", time.Since(start), err)
	return err
}

func (s *Store) importAll(ctx context.Context, id [16]byte, records iter.Seq2[storage.Record, error]) error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.opening.Load() != nil {
		return errors.New("importing into the store: it is open")
	}
	c, err := s.connected(ctx)
	if err != nil {
		return s.opened(err)
	}
	if err := s.beginImport(ctx, c, id); err != nil {
		return s.opened(err)
	}
	m := &importer{store: s, conn: c, clients: map[storage.ClientTag]storage.ClientRecord{}, aliases: map[storage.UserTag][]byte{}}
	for r, err := range records {
		if err == nil {
			err = m.add(ctx, r)
		}
		if err != nil {
			return err
		}
	}
	return s.opened(m.finish(ctx, id))
}

// beginImport makes sure that nothing is there but what this import has written.
func (s *Store) beginImport(ctx context.Context, c *connection, id [16]byte) error {
	const isNew, again, other, taken = 0, 1, 2, 3
	marked := int64(-1)
	there := false
	err := s.within(ctx, c, func(ctx context.Context, c *connection) (err error) {
		there, err = c.client.HExists(ctx, s.common("store"), "importing").Result()
		return err
	})
	if err == nil && !there {
		err = s.mustBeEmpty(ctx, c)
	}
	if err == nil {
		err = s.within(ctx, c, func(ctx context.Context, c *connection) error {
			a, err := s.eval(ctx, c, s.scripts().importBegin, []string{s.common("store")}, id[:])
			if err == nil {
				marked, err = a.int(), a.err
			}
			return err
		})
	}
	switch {
	case err != nil:
		return err
	case marked == other:
		return storage.ErrUnfinishedImport
	case marked == taken:
		return storage.ErrNotEmpty
	case marked != isNew && marked != again:
		return errBadAnswer
	}
	return nil
}

// mustBeEmpty looks at every server for a key of ours.
func (s *Store) mustBeEmpty(ctx context.Context, c *connection) error {
	var servers []server
	err := s.within(ctx, c, func(ctx context.Context, c *connection) (err error) {
		servers, err = primaries(ctx, c)
		return err
	})
	for _, one := range servers {
		for cursor, done := uint64(0), false; err == nil && !done; done = cursor == 0 {
			err = s.within(ctx, c, func(ctx context.Context, _ *connection) error {
				keys, next, err := one.client.Scan(ctx, cursor, s.options.KeyPrefix+"*", 10*scanPage).Result()
				if err == nil && len(keys) > 0 {
					err = storage.ErrNotEmpty
				}
				cursor = next
				return err
			})
		}
	}
	return err
}

// importer writes records in batches.
type importer struct {
	store   *Store
	conn    *connection
	about   *storage.StoreRecord
	clients map[storage.ClientTag]storage.ClientRecord
	aliases map[storage.UserTag][]byte
	waiting []scriptCall
}

// scriptCall is a script with what it is sent.
type scriptCall struct {
	script *script
	keys   []string
	args   []any
}

func (m *importer) add(ctx context.Context, r storage.Record) error {
	if m.about == nil && r.Store == nil {
		return errors.New("importing into the store: the first record does not describe the store")
	}
	switch {
	case r.Store != nil:
		m.about = r.Store
		return nil
	case r.Client != nil:
		m.clients[r.Client.Client] = *r.Client
		return nil
	case r.Alias != nil:
		return m.alias(r.Alias)
	case r.Grant != nil, r.Assertion != nil, r.Document != nil:
		m.waiting = append(m.waiting, m.standing(r))
	case r.Held != nil, r.Consents != nil:
		call, err := m.heldOrAgreed(r)
		if err != nil {
			return err
		}
		m.waiting = append(m.waiting, call)
	case r.Denied != nil:
		m.waiting = append(m.waiting, m.denied(r.Denied))
	case r.Codes != nil:
		m.waiting = append(m.waiting, m.codes(r.Codes)...)
	case r.Index != nil:
		m.waiting = append(m.waiting, m.index(r.Index)...)
	case r.Outbox != nil:
		m.waiting = append(m.waiting, m.outbox(r.Outbox)...)
	case r.Upstreams != nil:
		m.waiting = append(m.waiting, m.upstreams(r.Upstreams))
	default:
		return errNewerRecord
	}
	if len(m.waiting) < importBatch {
		return nil
	}
	return m.flush(ctx)
}

// standing writes what belongs to no user. What has ended meanwhile is over at once.
func (m *importer) standing(r storage.Record) scriptCall {
	s := m.store
	switch {
	case r.Grant != nil:
		keep := time.Duration(0)
		if !r.Grant.Until.IsZero() {
			keep = max(time.Millisecond, r.Grant.Until.Sub(m.about.Now))
		}
		return scriptCall{s.scripts().putGrant, []string{s.grantKey(r.Grant.ID)}, []any{millis(keep), r.Grant.Text}}
	case r.Assertion != nil:
		return scriptCall{s.scripts().useAssertion, []string{s.key("a:" + r.Assertion.ID.String())}, []any{unixMillis(r.Assertion.Until), make([]byte, 8)}}
	}
	d := r.Document.DocumentRequest
	d.Lifetime = max(time.Millisecond, r.Document.Until.Sub(m.about.Now))
	return scriptCall{s.scripts().putDocument, s.documentKeys(), documentArgs(d)}
}

func (m *importer) heldOrAgreed(r storage.Record) (scriptCall, error) {
	if r.Consents != nil {
		return m.consents(r.Consents)
	}
	return m.held(r.Held)
}

func (m *importer) held(h *storage.HeldRecord) (scriptCall, error) {
	grace := millis(m.about.TokenLifetime + time.Minute)
	person, err := h.Profile.Person.MarshalBinary()
	if err != nil {
		return scriptCall{}, err
	}
	args := []any{grace, flag(h.Profile.Subject != ""), h.Profile.Fingerprint[:], h.Profile.Subject, person}
	for _, f := range h.Families {
		record, err := f.MarshalBinary()
		if err != nil {
			return scriptCall{}, err
		}
		args = append(args, f.ID[:], record)
	}
	for _, session := range h.Sessions {
		args = append(args, session.ID[:], packSession(session))
	}
	return scriptCall{m.store.scripts().importHeld, m.store.userKeys(h.User, held, people), args}, nil
}

func (m *importer) denied(d *storage.DeniedRecord) scriptCall {
	end, args := time.Time{}, []any{int64(0)}
	if !d.Before.IsZero() || !d.Issued.IsZero() || !d.Folded.IsZero() {
		record := []byte{marksVersion}
		for _, t := range []time.Time{d.Before, d.Until, d.Issued, d.Folded} {
			record = appendSeconds(record, t)
		}
		args = append(args, []byte{kindMarks}, append(record, make([]byte, 8+6)...))
		end = later(later(d.Until, d.Issued.Add(time.Second)), d.Folded.Add(storage.CodesLive+time.Second))
	}
	for _, e := range d.Entries {
		record := append(appendSeconds([]byte{1}, e.Until), e.Attempt[:]...)
		var flags byte
		if e.Lived {
			flags |= 1
		}
		if e.Reused {
			flags |= 2
		}
		if record = append(record, flags); e.Kind == storage.DenyClient {
			record = append(record, e.ID[8:12]...)
		}
		args = append(args, append([]byte{byte(e.Kind)}, e.Name()...), record)
		end = later(end, e.Until)
	}
	args[0] = unixMillis(end)
	return scriptCall{m.store.scripts().importFields, m.store.userKeys(d.User, denied), args}
}

func (m *importer) codes(c *storage.CodesRecord) []scriptCall {
	end := time.Time{}
	room := 1 + 2*len(c.Codes)
	records, texts := append(make([]any, 0, room), int64(0)), append(make([]any, 0, room), int64(0))
	for _, code := range c.Codes {
		record := appendSeconds([]byte{codeVersion}, code.Put)
		record = storage.AppendMillis6(storage.AppendMillis6(record, code.Expires), code.Taken)
		record = slices.Concat(record, code.Attempt[:], code.Session[:], code.Owner[:])
		records = append(records, code.ID[:], record)
		if code.Body != nil {
			texts = append(texts, code.ID[:], code.Body)
		}
		end = later(end, code.Expires)
	}
	records[0], texts[0] = unixMillis(end), unixMillis(end)
	return []scriptCall{
		{m.store.scripts().importFields, m.store.userKeys(c.User, codes), records},
		{m.store.scripts().importFields, m.store.userKeys(c.User, bodies), texts},
	}
}

// flush writes what waits.
func (m *importer) flush(ctx context.Context) error {
	waiting := m.waiting
	m.waiting = nil
	if len(waiting) == 0 {
		return nil
	}
	err := m.store.within(ctx, m.conn, func(ctx context.Context, c *connection) error {
		pipe := c.client.Pipeline()
		cmds := make([]*redis.Cmd, len(waiting))
		for i, w := range waiting {
			cmds[i] = w.script.EvalSha(ctx, pipe, w.keys, append([]any{0}, w.args...)...)
		}
		_, _ = pipe.Exec(ctx) // each command has its error
		for i, cmd := range cmds {
			err := cmd.Err()
			if redis.HasErrorPrefix(err, "NOSCRIPT") {
				_, err = m.store.eval(ctx, c, waiting[i].script, waiting[i].keys, waiting[i].args...)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("importing into the store: %w", err)
	}
	return nil
}

// finish writes the watermarks, the aliases and the keys, and the birth mark last.
func (m *importer) finish(ctx context.Context, id [16]byte) error {
	s := m.store
	if m.about == nil {
		return errors.New("importing into the store: the export has no record of the store")
	}
	if len(m.clients) > 0 {
		args := []any{int64(0)}
		for client, mark := range m.clients {
			args = append(args, client[:], appendWatermark(mark))
		}
		m.waiting = append(m.waiting, scriptCall{s.scripts().importFields, []string{s.key("clients")}, args})
	}
	if len(m.aliases) > 0 {
		args := []any{int64(0)}
		for from, record := range m.aliases {
			args = append(args, from[:], record)
		}
		m.waiting = append(m.waiting, scriptCall{s.scripts().importFields, []string{s.aliasesKey()}, args})
	}
	if m.about.KeysVersion > 0 {
		m.waiting = append(m.waiting, scriptCall{
			s.scripts().importFields, []string{s.common("keys")}, []any{int64(0), "version", m.about.KeysVersion, "sealed", m.about.Keys},
		})
	}
	if err := m.flush(ctx); err != nil {
		return err
	}
	return s.within(ctx, m.conn, func(ctx context.Context, c *connection) error {
		a, err := s.eval(ctx, c, s.scripts().importFinish, []string{s.common("store")},
			id[:], unixMillis(m.about.Born), millis(m.about.TokenLifetime), slices.Concat(slicesOf(m.about.Secrets)...), issuerLines(m.about.Issuers))
		if err == nil && !a.bool() {
			err = cmp.Or(a.err, error(unfitError("importing into the store: another import has taken it over")))
		}
		return err
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
