package redisstore

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// The keys of one user have the tag between braces, so that they are in one hash slot:
//
//	<prefix>{<tag>}u   what the user holds: families, sessions, profile (lua/grants.lua)
//	<prefix>{<tag>}d   what is denied of the user (lua/denylist.lua)
//	<prefix>{<tag>}c   codes (lua/code.lua)
//	<prefix>{<tag>}e   the families that the last sign-out everywhere has ended
//
// The others stand alone:
//
//	<prefix>clients    watermarks of the clients
//	<prefix>grants     texts of the grants
//	<prefix>keys       the sealed signing keys
//	<prefix>store      what the store knows of itself
func (s *Store) userKey(user tokens.UserTag, kind string) string {
	return s.options.KeyPrefix + "{" + user.String() + "}" + kind
}

func (s *Store) key(name string) string { return s.options.KeyPrefix + name }

// userKeys names keys of a user.
func (s *Store) userKeys(user tokens.UserTag, kinds ...string) []string {
	base := s.userKey(user, "")
	keys := make([]string, len(kinds), len(kinds)+1)
	for i, kind := range kinds {
		keys[i] = base + kind
	}
	return keys
}

// decidingKeys names what a decision about a client's grants reads: keys of the
// user, and the watermarks. In a Cluster these lie on another node: see
// Store.endedClient.
func (s *Store) decidingKeys(user tokens.UserTag, kinds ...string) []string {
	keys := s.userKeys(user, kinds...)
	if s.options.Mode != Cluster {
		keys = append(keys, s.key("clients"))
	}
	return keys
}

// Kinds of a user's keys.
const (
	held   = "u"
	denied = "d"
	codes  = "c"
	ended  = "e"
)

// millis rounds a duration up to milliseconds.
func millis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// unixMillis returns a time in milliseconds, 0 for the zero time.
func unixMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// flag is how scripts read a bool.
func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
