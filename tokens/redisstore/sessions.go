package redisstore

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// CreateSession implements storage.Sessions.
func (s *Store) CreateSession(ctx context.Context, r storage.SessionRequest) (storage.Session, error) {
	person, err := r.Profile.Person.MarshalBinary()
	if err != nil {
		return storage.Session{}, err
	}
	a, err := s.decide(ctx, "create_session", s.scripts().createSession, s.decidingKeys(r.User, held, denied, people, codes, bodies, ended, upstreams, consents, logouts),
		s.grace(), r.ID[:], millis(r.Lifetime), r.Profile.Subject, r.Profile.Fingerprint[:], r.Replaces[:], millis(r.DenyFor), r.ACR, unixMillis(r.BegunAfter),
		unixSeconds(r.AuthTime), person, strings.Join(r.AMR, " "), r.Upstream, millis(r.Hold))
	if err != nil {
		return storage.Session{}, err
	}
	record, endedOthers := a.text(), a.bool()
	told, dropped := int(a.int()), int(a.int())
	if a.err != nil || record == "" { // disabled, or the old password
		return storage.Session{OldFingerprint: endedOthers && a.err == nil}, a.err
	}
	session, err := readSession(record, r.User, r.ID)
	if err != nil {
		return storage.Session{}, err
	}
	session.Told, session.Dropped = told, dropped
	if session.EndedOthers = endedOthers; endedOthers {
		// The login is dated by the second after what it has ended.
		end := storage.EndRequest{User: r.User, Scope: storage.EndUser, DenyFor: r.DenyFor}
		s.keepEnd(end, session.Begun.Add(-time.Second), true)
	}
	return session, nil
}

// Session implements storage.Sessions.
func (s *Store) Session(ctx context.Context, user storage.UserTag, id storage.SessionID, idle time.Duration, client storage.ClientTag) (storage.Session, storage.Profile, bool, error) {
	var of []byte
	if client != (storage.ClientTag{}) {
		of = client[:]
	}
	a, err := s.decide(ctx, "session", s.scripts().session, s.decidingKeys(user, held, people, consents), s.grace(), id[:], millis(idle), of)
	if err != nil {
		return storage.Session{}, storage.Profile{}, false, err
	}
	record, profile, consent := a.text(), readProfile(&a), a.text()
	if a.err != nil || record == "" {
		return storage.Session{}, storage.Profile{}, false, a.err
	}
	session, err := readSession(record, user, id)
	if err == nil && consent != "" {
		session.Consent.Client = client
		err = session.Consent.UnmarshalBinary([]byte(consent))
	}
	if err != nil {
		return storage.Session{}, storage.Profile{}, false, err
	}
	return session, profile, true, nil
}

// readSession reads what lua/session_record.lua packs.
func readSession(record string, user storage.UserTag, id storage.SessionID) (storage.Session, error) {
	switch {
	case record != "" && (record[0]%16 != sessionVersion || record[0] >= 4*withRoot):
		return storage.Session{}, errNewerRecord
	case len(record) < 17:
		return storage.Session{}, errBadRecord
	}
	s := storage.Session{
		ID: id, User: user, Root: id, Begun: seconds(record[1:]),
		AuthTime: seconds(record[5:]), Expires: seconds(record[9:]), Used: seconds(record[13:]),
	}
	head, rest := record[0], record[17:]
	if head&withRoot != 0 {
		if len(rest) < len(s.Root) {
			return storage.Session{}, errBadRecord
		}
		rest = rest[copy(s.Root[:], rest):]
	}
	if head&withAMR != 0 {
		if rest == "" || len(rest) <= int(rest[0]) {
			return storage.Session{}, errBadRecord
		}
		s.AMR, rest = strings.Split(rest[1:1+rest[0]], " "), rest[1+rest[0]:]
	}
	s.ACR = rest
	return s, nil
}

// sessionVersion leads a session's record, with what else is in it.
const (
	sessionVersion = 2
	withRoot       = 16
	withAMR        = 32
)

// packSession writes what readSession reads.
func packSession(s storage.Session) []byte {
	record := []byte{sessionVersion}
	for _, t := range []time.Time{s.Begun, s.AuthTime, s.Expires, s.Used} {
		record = appendSeconds(record, t)
	}
	if s.Root != s.ID {
		record[0] += withRoot
		record = append(record, s.Root[:]...)
	}
	if amr := strings.Join(s.AMR, " "); amr != "" {
		record[0] += withAMR
		record = append(append(record, byte(len(amr))), amr...)
	}
	return append(record, s.ACR...)
}
