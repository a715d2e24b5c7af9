package redisstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// CreateSession implements storage.Sessions.
func (s *Store) CreateSession(ctx context.Context, r storage.SessionRequest) (storage.Session, error) {
	person, err := r.Profile.Person.MarshalBinary()
	if err != nil {
		return storage.Session{}, err
	}
	a, err := s.decide(ctx, "create_session", s.scripts().createSession, s.decidingKeys(r.User, held, denied, people, codes, bodies, ended),
		s.grace(), r.ID[:], millis(r.Lifetime), r.Profile.Subject, r.Profile.Fingerprint[:], r.Replaces[:], millis(r.DenyFor), r.ACR, unixMillis(r.BegunAfter),
		unixSeconds(r.AuthTime), person)
	if err != nil {
		return storage.Session{}, err
	}
	record, endedOthers := a.text(), a.bool()
	if a.err != nil || record == "" {
		return storage.Session{}, a.err // disabled
	}
	session, err := readSession(record, r.User, r.ID)
	if err != nil {
		return storage.Session{}, err
	}
	if session.EndedOthers = endedOthers; endedOthers {
		// The login is dated by the second after what it has ended.
		end := storage.EndRequest{User: r.User, Scope: storage.EndUser, DenyFor: r.DenyFor}
		s.ended(end, session.Begun.Add(-time.Second))
	}
	return session, nil
}

// Session implements storage.Sessions.
func (s *Store) Session(ctx context.Context, user storage.UserTag, id storage.SessionID, idle time.Duration) (storage.Session, storage.Profile, bool, error) {
	a, err := s.decide(ctx, "session", s.scripts().session, s.decidingKeys(user, held, people), s.grace(), id[:], millis(idle))
	if err != nil {
		return storage.Session{}, storage.Profile{}, false, err
	}
	record, profile := a.text(), readProfile(&a)
	if a.err != nil || record == "" {
		return storage.Session{}, storage.Profile{}, false, a.err
	}
	session, err := readSession(record, user, id)
	if err != nil {
		return storage.Session{}, storage.Profile{}, false, err
	}
	return session, profile, true, nil
}

// readSession reads what lua/session_record.lua packs.
func readSession(record string, user storage.UserTag, id storage.SessionID) (storage.Session, error) {
	const rooted = sessionVersion + 16
	root, length := id, 17
	if record != "" && record[0] == rooted {
		length += len(root)
	}
	switch {
	case record != "" && record[0] != sessionVersion && record[0] != rooted:
		return storage.Session{}, errNewerRecord
	case len(record) < length:
		return storage.Session{}, errBadRecord
	case record[0] == rooted:
		copy(root[:], record[17:])
	}
	return storage.Session{
		ID: id, User: user, Root: root, ACR: record[length:], Begun: seconds(record[1:]),
		AuthTime: seconds(record[5:]), Expires: seconds(record[9:]), Used: seconds(record[13:]),
	}, nil
}

// sessionVersion leads a session's record; 16 is added where the root follows.
const sessionVersion = 2

// packSession writes what readSession reads.
func packSession(s storage.Session) []byte {
	record, root := []byte{sessionVersion}, []byte(nil)
	if s.Root != s.ID {
		record[0], root = sessionVersion+16, s.Root[:]
	}
	for _, t := range []time.Time{s.Begun, s.AuthTime, s.Expires, s.Used} {
		record = appendSeconds(record, t)
	}
	return append(append(record, root...), s.ACR...)
}
