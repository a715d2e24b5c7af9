package redisstore

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// outboxes is in how many slots the users stand who may have logouts to tell.
const outboxes = 16

// outboxKey names the users of one of these slots.
func (s *Store) outboxKey(n int) string { return s.key(outboxLead + strconv.Itoa(n) + "}t") }

// outboxLead begins the names of these slots, behind the prefix.
const outboxLead = "{lo"

func (s *Store) outboxOf(user storage.UserTag) string { return s.outboxKey(int(user[0] % outboxes)) }

// ExpectLogouts implements storage.Outbox.
func (s *Store) ExpectLogouts(ctx context.Context, r storage.ExpectRequest) error {
	after := millis(storage.ExpectedFor)
	if r.Written {
		after = 0
	}
	return s.lasting(ctx, "expect_logouts", s.scripts().expectLogouts, []string{s.outboxOf(r.User)}, r.User[:], after)
}

// LeaseSender implements storage.Outbox.
func (s *Store) LeaseSender(ctx context.Context, node storage.NodeMark, lease time.Duration) (bool, error) {
	a, err := s.decide(ctx, "lease_sender", s.scripts().leaseSender, []string{s.key(outboxLead + "0}s")}, node[:], millis(lease))
	if err != nil {
		return false, err
	}
	mine := a.bool()
	return mine, a.err
}

// TakeLogouts implements storage.Outbox. Each slot has its share, so that none waits for another;
// in a slot who has waited for the longest time is first. What can't be read keeps nobody else waiting.
func (s *Store) TakeLogouts(ctx context.Context, r storage.TakeLogouts) (storage.TakenLogouts, error) {
	var all storage.TakenLogouts
	var errs []error
	left := storage.MaxTaken
	for n := range outboxes {
		share := (left + outboxes - n - 1) / (outboxes - n)
		users, err := s.takeSlot(ctx, r, &all, s.outboxKey(n), share)
		left -= users
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return all, errors.Join(errs...)
}

// takeSlot takes those of so many users of a slot at most, and returns how many there were.
func (s *Store) takeSlot(ctx context.Context, r storage.TakeLogouts, all *storage.TakenLogouts, key string, most int) (int, error) {
	a, err := s.decide(ctx, "due_logouts", s.scripts().dueLogouts, []string{key}, millis(r.Lease), most)
	if err != nil {
		return 0, err
	}
	users, till := a.list(), a.int()
	errs := []error{a.err}
	for _, v := range users {
		member, ok := v.(string)
		tag := []byte(member)
		if ok && len(member) > len(storage.UserTag{}) {
			tag = tag[1:]
		}
		if !ok || len(tag) != len(storage.UserTag{}) {
			errs = append(errs, errBadAnswer)
			continue
		}
		errs = append(errs, s.takeLogouts(ctx, r, storage.UserTag(tag), all, key, member, till))
	}
	return len(users), errors.Join(errs...)
}

// takeLogouts takes those of a user, and settles when to look at them next.
func (s *Store) takeLogouts(ctx context.Context, r storage.TakeLogouts, user storage.UserTag, all *storage.TakenLogouts, key, member string, till int64) error {
	a, err := s.decide(ctx, "take_logouts", s.scripts().takeLogouts, s.userKeys(user, logouts), millis(r.Lease), r.Attempt[:])
	if err != nil {
		return err
	}
	list, subject, next, dropped := a.list(), a.text(), a.int(), a.int()
	if a.err != nil || len(list)%4 != 0 {
		return errBadAnswer
	}
	for ; len(list) > 0; list = list[4:] {
		one := answer{fields: list[:4]}
		root, client := one.text(), one.text()
		l := storage.Logout{User: user, Subject: subject, Since: one.millis(), Tries: int(one.int())}
		if one.err != nil || len(root) != len(l.Root) || len(client) != len(l.Client) {
			return errBadAnswer
		}
		copy(l.Root[:], root)
		copy(l.Client[:], client)
		all.Logouts = append(all.Logouts, l)
	}
	all.Dropped += int(dropped)
	tag := string(user[:])
	if member != tag { // it was expected, and is as any other from now on
		if err := s.settleLogouts(ctx, key, member, till, 0); err != nil {
			return err
		}
		till = 0
	}
	if next == 0 && till == 0 {
		return nil
	}
	return s.settleLogouts(ctx, key, tag, till, next)
}

func (s *Store) settleLogouts(ctx context.Context, key, member string, till, next int64) error {
	_, err := s.decide(ctx, "settle_logouts", s.scripts().settleLogouts, []string{key}, member, till, next)
	return err
}

// DoneLogout implements storage.Outbox.
func (s *Store) DoneLogout(ctx context.Context, r storage.DoneLogout) error {
	after := int64(-1)
	if r.After >= 0 {
		after = millis(r.After)
	}
	a, err := s.decide(ctx, "done_logouts", s.scripts().doneLogouts, s.userKeys(r.User, logouts),
		r.Attempt[:], slices.Concat(r.Root[:], r.Client[:]), after, flag(r.Tried))
	if err != nil {
		return err
	}
	leased, next := a.int(), a.int()
	if a.err != nil || leased == 0 {
		return a.err
	}
	return s.settleLogouts(ctx, s.outboxOf(r.User), string(r.User[:]), leased, next)
}

// logoutVersion leads the record of a logout (lua/outbox.lua), which is so long.
const logoutVersion, logoutSize = 1, 22

// What the note of a session is (lua/outbox.lua), before the tags of its clients, and how the
// names of notes begin; and where the subject stands.
const (
	noteVersion, noteSize = 1, 9
	noteLead              = "n"
	noteSubject           = "s"
)

func readOutbox(user storage.UserTag, a *answer) (storage.Record, error) {
	all := &storage.OutboxRecord{User: user}
	now := a.millis()
	err := pairs(a.list(), func(name, value string) (err error) {
		switch len(name) {
		case len(noteSubject):
			all.Subject = value
		case len(noteLead) + len(storage.SessionID{}):
			var n storage.SessionNote
			if n, err = readNote(name, value); err == nil && now.Before(n.Until) {
				all.Notes = append(all.Notes, n)
			}
		case len(storage.SessionID{}) + len(storage.ClientTag{}):
			var l storage.WaitingLogout
			if l, err = readLogout(name, value); err == nil && now.Sub(l.Since) < storage.KeepLogout {
				all.Waiting = append(all.Waiting, l)
			}
		}
		return err
	})
	if err != nil || len(all.Notes)+len(all.Waiting) == 0 {
		return storage.Record{}, err
	}
	slices.SortFunc(all.Notes, func(a, b storage.SessionNote) int { return bytes.Compare(a.Root[:], b.Root[:]) })
	slices.SortFunc(all.Waiting, func(a, b storage.WaitingLogout) int { return bytes.Compare(a.Root[:], b.Root[:]) })
	return storage.Record{Outbox: all}, nil
}

func readNote(name, value string) (n storage.SessionNote, err error) {
	switch {
	case len(value) < noteSize || len(value)%8 != noteSize%8:
		return n, errBadRecord
	case value[0] != noteVersion:
		return n, errNewerRecord
	}
	n.Root, n.At, n.Until = storage.SessionID([]byte(name[len(noteLead):])), seconds(value[1:]), seconds(value[5:])
	for v := []byte(value[noteSize:]); len(v) > 0; v = v[8:] {
		n.Clients = append(n.Clients, storage.ClientTag(v))
	}
	return n, nil
}

func readLogout(name, value string) (storage.WaitingLogout, error) {
	if err := checkRecord(value, logoutVersion, logoutSize); err != nil {
		return storage.WaitingLogout{}, err
	}
	v := []byte(value)
	return storage.WaitingLogout{
		Root: storage.SessionID([]byte(name[:8])), Client: storage.ClientTag([]byte(name[8:])),
		Since: storage.ReadMillis6(v[1:]), Due: storage.ReadMillis6(v[7:]), Tries: int(v[13]),
	}, nil
}

// outbox writes what readOutbox has returned, of this store or another. What waits is looked at
// by the next node that sends.
func (m *importer) outbox(all *storage.OutboxRecord) []scriptCall {
	end, args := time.Time{}, append(make([]any, 0, 3+2*len(all.Notes)+2*len(all.Waiting)), int64(0), noteSubject, all.Subject)
	for _, n := range all.Notes {
		record := appendSeconds(appendSeconds([]byte{noteVersion}, n.At), n.Until)
		for _, c := range n.Clients {
			record = append(record, c[:]...)
		}
		args = append(args, append([]byte(noteLead), n.Root[:]...), record)
		end = later(end, n.Until)
	}
	for _, l := range all.Waiting {
		record := storage.AppendMillis6(storage.AppendMillis6([]byte{logoutVersion}, l.Since), l.Due)
		record = append(append(record, byte(l.Tries)), make([]byte, len(storage.Attempt{}))...)
		args = append(args, slices.Concat(l.Root[:], l.Client[:]), record)
		end = later(end, l.Since.Add(storage.KeepLogout))
	}
	args[0] = unixMillis(end)
	calls := []scriptCall{{m.store.scripts().importFields, m.store.userKeys(all.User, logouts), args}}
	if len(all.Waiting) > 0 {
		calls = append(calls, scriptCall{m.store.scripts().expectLogouts, []string{m.store.outboxOf(all.User)}, []any{all.User[:], int64(0)}})
	}
	return calls
}
