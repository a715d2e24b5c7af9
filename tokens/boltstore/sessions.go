package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// CreateSession implements storage.Sessions.
func (s *Store) CreateSession(ctx context.Context, r storage.SessionRequest) (storage.Session, error) {
	r.Profile.Person = ownPerson(r.Profile.Person) // the caller may leave before the commit
	r.Upstream = bytes.Clone(r.Upstream)
	return decide(ctx, s, "create_session", func(t *txn) (storage.Session, error) { return createSession(t, r) })
}

func createSession(t *txn, r storage.SessionRequest) (storage.Session, error) {
	if disabled, err := t.disabled(r.User); err != nil || disabled {
		return storage.Session{}, err
	}
	marks, err := t.marks(r.User)
	if err != nil {
		return storage.Session{}, err
	}
	was, changed, old, err := t.profileAtLogin(r)
	if err != nil || old {
		return storage.Session{OldFingerprint: old}, err
	}
	root, told, dropped := storage.SessionID{}, 0, 0
	if changed {
		// What was begun under the old password would pass Rotate's comparison
		// again from now on.
		marks, told, dropped, err = endChanged(t, r, marks)
	} else {
		root, err = t.rootOf(r.User, r.Replaces)
	}
	if err != nil {
		return storage.Session{}, err
	}
	everyone, err := t.watermark(storage.Everyone)
	if err != nil {
		return storage.Session{}, err
	}
	begun := t.issueAt(r.User, marks, later(everyone, r.BegunAfter)).Truncate(time.Second)
	session := sessionRecord{
		begun: begun, authTime: earlier(begun, r.AuthTime.Truncate(time.Second)), expires: storage.EndOf(begun, r.Lifetime),
		used: begun, root: root, acr: r.ACR, amr: strings.Join(r.AMR, " "),
	}
	var again sessionRecord
	if there, err := t.read(sessions, userKey(r.User, r.ID[:]), &again); err != nil {
		return storage.Session{}, err
	} else if there {
		session = again // the same call sent again
	}
	if r.Replaces != (storage.SessionID{}) && r.Replaces != r.ID {
		t.remove(sessions, userKey(r.User, r.Replaces[:]))
	}
	if !changed { // else all were ended
		if told, dropped, err = t.boundSessions(r); err != nil {
			return storage.Session{}, err
		}
	}
	t.put(sessions, userKey(r.User, r.ID[:]), session.encode())
	if err := cmp.Or(t.putProfile(r.User, was, r.Profile), t.putLogin(r, cmp.Or(session.root, r.ID), changed)); err != nil {
		return storage.Session{}, err
	}
	result := session.session(r.User, r.ID)
	result.Told, result.Dropped = told, dropped
	result.EndedOthers = !marks.before.IsZero() && marks.attempt == storage.Attempt(r.ID)
	return result, nil
}

// endChanged ends all that a user had before the password was changed, consents too.
func endChanged(t *txn, r storage.SessionRequest, marks marksRecord) (_ marksRecord, told, dropped int, err error) {
	if err := t.removeAll(consents, r.User[:]); err != nil {
		return marks, 0, 0, err
	}
	return endAll(t, r.User, marks, r.DenyFor, storage.Attempt(r.ID))
}

// profileAtLogin returns the profile that a login finds, with what is held from now on, and
// whether it is of another fingerprint, or of one that is held: then it is old.
func (t *txn) profileAtLogin(r storage.SessionRequest) (was profileRecord, changed, old bool, err error) {
	was, found, err := t.profile(r.User)
	if err != nil || !found {
		return was, false, false, err
	}
	next := r.Profile.Fingerprint
	changed = was.fingerprint != next
	old = changed && next != (storage.Fingerprint{}) && was.held(t.now) == next
	return was.replaced(next, t.now.Add(r.Hold).Truncate(time.Second), t.now), changed, old, nil
}

func (r sessionRecord) session(user storage.UserTag, id storage.SessionID) storage.Session {
	s := storage.Session{
		ID: id, User: user, Root: cmp.Or(r.root, id), ACR: r.acr,
		Begun: r.begun, AuthTime: r.authTime, Expires: r.expires, Used: r.used,
	}
	if r.amr != "" {
		s.AMR = strings.Split(r.amr, " ")
	}
	return s
}

// boundSessions ends the least used sessions, so that with the new one there are
// at most storage.MaxSessions, has the applications told, and removes those that are over.
func (t *txn) boundSessions(r storage.SessionRequest) (told, dropped int, err error) {
	var others []storage.Session
	err = t.scan(sessions, r.User[:], func(k, v []byte) error {
		id := storage.SessionID(k[len(r.User):])
		var s sessionRecord
		switch err := s.decode(v); {
		case err != nil:
			return err
		case id == r.ID || id == r.Replaces:
		case s.over(t.now, 0):
			t.remove(sessions, k)
		default:
			others = append(others, s.session(r.User, id))
		}
		return nil
	})
	if err != nil || len(others) < storage.MaxSessions {
		return 0, 0, err
	}
	slices.SortFunc(others, func(a, b storage.Session) int {
		return cmp.Or(a.Used.Compare(b.Used), a.Begun.Compare(b.Begun), bytes.Compare(a.ID[:], b.ID[:]))
	})
	var roots []storage.SessionID
	for _, s := range others[:len(others)+1-storage.MaxSessions] {
		t.remove(sessions, userKey(r.User, s.ID[:]))
		roots = append(roots, s.Root)
	}
	return t.tell(r.User, roots, storage.ClientTag{})
}

// recordOf is the reverse of session.
func recordOf(s storage.Session) sessionRecord {
	r := sessionRecord{begun: s.Begun, authTime: s.AuthTime, expires: s.Expires, used: s.Used, root: s.Root, acr: s.ACR, amr: strings.Join(s.AMR, " ")}
	if s.Root == s.ID {
		r.root = storage.SessionID{}
	}
	return r
}

// rootOf returns the root of a session that a new one replaces; zero where it
// does not live any more.
func (t *txn) rootOf(user storage.UserTag, id storage.SessionID) (storage.SessionID, error) {
	var r sessionRecord
	found, err := t.read(sessions, userKey(user, id[:]), &r)
	if err != nil || !found || r.over(t.now, 0) {
		return storage.SessionID{}, err
	}
	return cmp.Or(r.root, id), nil
}

// usedSession is what Session answers.
type usedSession struct {
	record  sessionRecord
	profile storage.Profile
	consent storage.Consent
	found   bool
}

// Session implements storage.Sessions. Only a use that is a minute after the
// last one, or half of a shorter idle limit, is written.
func (s *Store) Session(ctx context.Context, user storage.UserTag, id storage.SessionID, idle time.Duration, client storage.ClientTag) (storage.Session, storage.Profile, bool, error) {
	var u usedSession
	err := s.call(ctx, "session", func(f *file) (err error) {
		due := false
		u, err = viewIn(s, f, func(t *txn) (usedSession, error) {
			u, err := findSession(t, user, id, idle, client)
			due = u.found && t.now.Sub(u.record.used) >= touchAfter(idle)
			return u, err
		})
		if err != nil || !due {
			return err
		}
		u, err = decideIn(ctx, f, func(t *txn) (usedSession, error) {
			u, err := findSession(t, user, id, idle, client)
			if err == nil && u.found {
				u.record.used = t.now.Truncate(time.Second)
				t.put(sessions, userKey(user, id[:]), u.record.encode())
			}
			return u, err
		})
		return err
	})
	if err != nil || !u.found {
		return storage.Session{}, storage.Profile{}, false, err
	}
	session := u.record.session(user, id)
	session.Consent = u.consent
	return session, u.profile, true, nil
}

func touchAfter(idle time.Duration) time.Duration {
	if idle > 0 {
		return min(time.Minute, idle/2)
	}
	return time.Minute
}

func findSession(t *txn, user storage.UserTag, id storage.SessionID, idle time.Duration, client storage.ClientTag) (usedSession, error) {
	var u usedSession
	found, err := t.read(sessions, userKey(user, id[:]), &u.record)
	if err != nil || !found || u.record.over(t.now, idle) {
		return usedSession{}, err
	}
	if ended, err := t.everyoneEnded(u.record.begun); err != nil || ended {
		return usedSession{}, err
	}
	p, _, err := t.profile(user)
	if err != nil {
		return usedSession{}, err
	}
	u.found = true
	if u.profile, err = t.whole(user, p); err != nil || client == (storage.ClientTag{}) {
		return u, err
	}
	u.consent, err = t.consent(user, client)
	return u, err
}
