package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// logoutKey names a logout.
func logoutKey(user storage.UserTag, root storage.SessionID, client storage.ClientTag) []byte {
	return append(userKey(user, root[:]), client[:]...)
}

// noteClient notes that a client has taken a code in a session, the newest last.
func (t *txn) noteClient(user storage.UserTag, root storage.SessionID, client storage.ClientTag, keep time.Duration) error {
	if keep <= 0 || root == (storage.SessionID{}) {
		return nil
	}
	key := userKey(user, root[:])
	var r noteRecord
	found, err := t.read(notes, key, &r)
	if err != nil {
		return err
	}
	r.clients = slices.DeleteFunc(r.clients, func(c storage.ClientTag) bool { return c == client })
	r.clients = append(r.clients, client)
	r.clients = r.clients[max(0, len(r.clients)-storage.MaxTold):]
	r.at, r.till = t.now.Truncate(time.Second), later(r.till, storage.EndOf(t.now, keep))
	t.put(notes, key, r.encode())
	if found {
		return nil
	}
	return t.boundNotes(user)
}

// boundNotes drops the oldest notes of a user, so that there is room for one more.
func (t *txn) boundNotes(user storage.UserTag) error {
	if t.countUp(notes, user, storage.MaxNoted) < storage.MaxNoted {
		return nil
	}
	type note struct {
		key []byte
		at  time.Time
	}
	var all []note
	err := t.scan(notes, user[:], func(k, v []byte) error {
		var r noteRecord
		err := r.decode(v)
		all = append(all, note{bytes.Clone(k), r.at})
		return err
	})
	slices.SortFunc(all, func(a, b note) int {
		if n := a.at.Compare(b.at); n != 0 {
			return n
		}
		return bytes.Compare(a.key, b.key)
	})
	for _, n := range all[:max(0, len(all)+1-storage.MaxNoted)] {
		t.remove(notes, n.key)
	}
	return err
}

// tell makes logouts of the notes of roots: for all their clients, or for the one that is
// named. Beyond the bound the oldest goes.
func (t *txn) tell(user storage.UserTag, roots []storage.SessionID, only storage.ClientTag) (told, dropped int, err error) {
	p, _, err := t.profile(user)
	if err != nil {
		return 0, 0, err
	}
	fresh := make(map[string]bool)
	for _, root := range roots {
		key := userKey(user, root[:])
		var r noteRecord
		if found, err := t.read(notes, key, &r); err != nil {
			return 0, 0, err
		} else if !found {
			continue
		}
		var rest []storage.ClientTag
		for _, client := range r.clients {
			if only != (storage.ClientTag{}) && client != only {
				rest = append(rest, client)
				continue
			}
			k := logoutKey(user, root, client)
			t.put(logouts, k, logoutRecord{since: t.now, due: t.now, subject: p.subject}.encode())
			fresh[string(k)] = true
		}
		if r.clients = rest; len(rest) == 0 {
			t.remove(notes, key)
		} else {
			t.put(notes, key, r.encode())
		}
	}
	if len(fresh) == 0 {
		return 0, 0, nil
	}
	dropped, err = t.boundLogouts(user, fresh)
	return len(fresh), dropped, err
}

// boundLogouts drops the oldest logouts of a user beyond the bound. Fresh ones are of now.
func (t *txn) boundLogouts(user storage.UserTag, fresh map[string]bool) (dropped int, err error) {
	type waiting struct {
		key   []byte
		since time.Time
	}
	var all []waiting
	for k := range fresh {
		all = append(all, waiting{[]byte(k), t.now})
	}
	err = t.scan(logouts, user[:], func(k, v []byte) error {
		var r logoutRecord
		err := r.decode(v)
		if !fresh[string(k)] {
			all = append(all, waiting{bytes.Clone(k), r.since})
		}
		return err
	})
	slices.SortFunc(all, func(a, b waiting) int {
		if n := a.since.Compare(b.since); n != 0 {
			return n
		}
		return bytes.Compare(a.key, b.key)
	})
	dropped = max(0, len(all)-storage.MaxLogouts)
	for _, w := range all[:dropped] {
		t.remove(logouts, w.key)
	}
	return dropped, err
}

// notedRoots returns the roots of all notes of a user, in order.
func (t *txn) notedRoots(user storage.UserTag) (roots []storage.SessionID, err error) {
	err = t.scan(notes, user[:], func(k, _ []byte) error {
		roots = append(roots, storage.SessionID(k[len(user):]))
		return nil
	})
	return roots, err
}

// ExpectLogouts implements storage.Outbox: what is written here is found.
func (s *Store) ExpectLogouts(context.Context, storage.ExpectRequest) error { return nil }

// LeaseSender implements storage.Outbox. The file has one process.
func (s *Store) LeaseSender(context.Context, storage.NodeMark, time.Duration) (bool, error) {
	return true, nil
}

// TakeLogouts implements storage.Outbox. Nothing is written where nothing is due.
func (s *Store) TakeLogouts(ctx context.Context, r storage.TakeLogouts) (storage.TakenLogouts, error) {
	due := false
	_, err := view(ctx, s, "take_logouts", func(t *txn) (struct{}, error) {
		return struct{}{}, t.scan(logouts, nil, func(_, v []byte) error {
			var l logoutRecord
			err := l.decode(v)
			due = due || err == nil && !l.due.After(t.now)
			return err
		})
	})
	if err != nil || !due {
		return storage.TakenLogouts{}, err
	}
	return decide(ctx, s, "take_logouts", func(t *txn) (storage.TakenLogouts, error) { return takeLogouts(t, r) })
}

func takeLogouts(t *txn, r storage.TakeLogouts) (all storage.TakenLogouts, err error) {
	users, err := t.longestDue(r.Attempt)
	if err != nil {
		return all, err
	}
	err = t.scan(logouts, nil, func(k, v []byte) error {
		var l logoutRecord
		if err := l.decode(v); err != nil {
			return err
		}
		user := storage.UserTag(k)
		switch {
		case l.over(t.now):
			t.remove(logouts, k)
			all.Dropped++
			return nil
		case l.due.After(t.now) && l.attempt != r.Attempt, !users[user]:
			return nil
		}
		if !l.due.After(t.now) {
			l.due, l.attempt = t.now.Add(r.Lease), r.Attempt
			t.put(logouts, bytes.Clone(k), l.encode())
		}
		all.Logouts = append(all.Logouts, storage.Logout{
			User: user, Root: storage.SessionID(k[16:]), Client: storage.ClientTag(k[24:]), Subject: l.subject, Since: l.since, Tries: int(l.tries),
		})
		return nil
	})
	return all, err
}

// longestDue returns the users with a logout that is due, or leased to an attempt; of too many
// those who have waited for the longest time, so that what is put off keeps nobody waiting.
func (t *txn) longestDue(attempt storage.Attempt) (map[storage.UserTag]bool, error) {
	due := make(map[storage.UserTag]time.Time)
	err := t.scan(logouts, nil, func(k, v []byte) error {
		var l logoutRecord
		err := l.decode(v)
		user := storage.UserTag(k)
		if first, found := due[user]; !l.over(t.now) && (!l.due.After(t.now) || l.attempt == attempt) && (!found || l.due.Before(first)) {
			due[user] = l.due
		}
		return err
	})
	order := slices.SortedFunc(maps.Keys(due), func(a, b storage.UserTag) int {
		return cmp.Or(due[a].Compare(due[b]), bytes.Compare(a[:], b[:]))
	})
	users := make(map[storage.UserTag]bool)
	for _, user := range order[:min(len(order), storage.MaxTaken)] {
		users[user] = true
	}
	return users, err
}

// DoneLogout implements storage.Outbox.
func (s *Store) DoneLogout(ctx context.Context, r storage.DoneLogout) error {
	_, err := decide(ctx, s, "done_logouts", func(t *txn) (struct{}, error) {
		key := logoutKey(r.User, r.Root, r.Client)
		var l logoutRecord
		found, err := t.read(logouts, key, &l)
		if err != nil || !found || l.attempt != r.Attempt {
			return struct{}{}, err
		}
		if r.After < 0 {
			t.remove(logouts, key)
			return struct{}{}, nil
		}
		if l.due, l.attempt = t.now.Add(r.After), (storage.Attempt{}); r.Tried && l.tries < 255 {
			l.tries++
		}
		t.put(logouts, key, l.encode())
		return struct{}{}, nil
	})
	return err
}

func readOutbox(t *txn, user storage.UserTag) (storage.Record, error) {
	p, _, err := t.profile(user)
	if err != nil {
		return storage.Record{}, err
	}
	all := &storage.OutboxRecord{User: user, Subject: p.subject}
	err = t.scan(notes, user[:], func(k, v []byte) error {
		var r noteRecord
		err := r.decode(v)
		if err == nil && t.now.Before(r.till) {
			all.Notes = append(all.Notes, storage.SessionNote{Root: storage.SessionID(k[len(user):]), At: r.at, Until: r.till, Clients: r.clients})
		}
		return err
	})
	if err != nil {
		return storage.Record{}, err
	}
	err = t.scan(logouts, user[:], func(k, v []byte) error {
		var l logoutRecord
		if err := l.decode(v); err != nil || l.over(t.now) {
			return err
		}
		all.Subject = cmp.Or(all.Subject, l.subject)
		all.Waiting = append(all.Waiting, storage.WaitingLogout{
			Root: storage.SessionID(k[16:]), Client: storage.ClientTag(k[24:]), Since: l.since, Due: l.due, Tries: int(l.tries),
		})
		return nil
	})
	if err != nil || len(all.Notes)+len(all.Waiting) == 0 {
		return storage.Record{}, err
	}
	return storage.Record{Outbox: all}, nil
}

// importOutbox writes what readOutbox has returned, of this store or another.
func (t *txn) importOutbox(all *storage.OutboxRecord) {
	for _, n := range all.Notes {
		t.put(notes, userKey(all.User, n.Root[:]), noteRecord{at: n.At, till: n.Until, clients: n.Clients}.encode())
	}
	for _, l := range all.Waiting {
		r := logoutRecord{since: l.Since, due: l.Due, tries: byte(l.Tries), subject: all.Subject}
		t.put(logouts, logoutKey(all.User, l.Root, l.Client), r.encode())
	}
}
