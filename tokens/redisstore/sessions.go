package redisstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// CreateSession implements tokens.Sessions.
func (s *Store) CreateSession(ctx context.Context, r tokens.SessionRequest) (tokens.Session, error) {
	a, err := s.decide(ctx, "create_session", s.scripts.createSession, s.userKeys(r.User, held, denied, codes, ended),
		s.grace(), r.ID[:], millis(r.Lifetime), r.Profile, r.Fingerprint[:], r.Replaces[:], millis(r.DenyFor))
	if err != nil {
		return tokens.Session{}, err
	}
	return readSession(a.text(), r.User, r.ID)
}

// Session implements tokens.Sessions.
func (s *Store) Session(ctx context.Context, user tokens.UserTag, id tokens.SessionID, idle time.Duration) (tokens.Session, []byte, bool, error) {
	a, err := s.decide(ctx, "session", s.scripts.session, s.userKeys(user, held), s.grace(), id[:], millis(idle))
	if err != nil {
		return tokens.Session{}, nil, false, err
	}
	record, profile := a.text(), a.bytes()
	if a.err != nil || record == "" {
		return tokens.Session{}, nil, false, a.err
	}
	session, err := readSession(record, user, id)
	return session, profile, err == nil, err
}

// readSession reads what lua/grants.lua packs.
func readSession(record string, user tokens.UserTag, id tokens.SessionID) (tokens.Session, error) {
	if err := checkRecord(record, 13); err != nil {
		return tokens.Session{}, err
	}
	return tokens.Session{
		ID: id, User: user, AuthTime: seconds(record[1:]), Expires: seconds(record[5:]), Used: seconds(record[9:]),
	}, nil
}

// Profile implements tokens.Sessions.
func (s *Store) Profile(ctx context.Context, user tokens.UserTag) ([]byte, error) {
	a, err := s.decide(ctx, "profile", s.scripts.profile, s.userKeys(user, held), 0)
	if err != nil || !a.present() {
		return nil, err
	}
	profile := a.bytes()
	return profile, a.err
}
