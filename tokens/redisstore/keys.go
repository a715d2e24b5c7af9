package redisstore

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The keys of one user have the tag between braces, so that they are in one hash slot:
//
//	<prefix>{<tag>}u   what the user holds: families, sessions, profile (lua/grants.lua)
//	<prefix>{<tag>}p   what is known of the person beyond that (lua/person_record.lua)
//	<prefix>{<tag>}r   what providers gave at logins (lua/upstream_record.lua)
//	<prefix>{<tag>}o   applications that are to be told of the end of sessions (lua/outbox.lua)
//	<prefix>{<tag>}k   what the user has agreed to (lua/consent.lua)
//	<prefix>{<tag>}d   what is denied of the user (lua/denylist.lua)
//	<prefix>{<tag>}c   codes, and
//	<prefix>{<tag>}b   their bodies (lua/code.lua)
//	<prefix>{<tag>}e   the families that the last sign-out everywhere has ended
//
// The request of a device belongs to no user, and its key has the hash of its user code there:
//
//	<prefix>{<device>}v   the request (lua/device.lua)
//
// Nor does a provider's name for logins, which has its own hash there:
//
//	<prefix>{<name>}i   the logins (lua/put_index.lua)
//
// What everybody needs is in one slot, so that a Cluster that has lost another
// one goes on for all users but those in it:
//
//	<prefix>clients                  watermarks of the clients
//	<prefix>{<prefix>clients}a       the latest date ahead of the clock, until that is there (lua/watermark.lua)
//	<prefix>{<prefix>clients}g:<id>  the text of a grant, until no family can have it any more (lua/put_grant.lua)
//	<prefix>{<prefix>clients}keys    the sealed signing keys
//	<prefix>{<prefix>clients}store   what the store knows of itself
//	<prefix>{<prefix>clients}aliases who is somebody else (lua/put_alias.lua)
//	<prefix>{<prefix>clients}nodes   when each node has last vouched for itself (lua/born.lua)
//
// The others stand alone:
//
//	<prefix>{feed}e    the end of the feed, and
//	<prefix>{feed}l    its lines, in one slot (lua/feed_append.lua)
//	<prefix>{lo<n>}t   users who may have logouts to tell, by when to look (lua/due_logouts.lua), and
//	<prefix>{lo0}s     the node that tells them (lua/lease_sender.lua)
//	<prefix>{documents}m the metadata of clients, as their hosts have last shown it (lua/document_record.lua), and
//	<prefix>{documents}t the order in which it goes, in one slot
//	<prefix>a:<id>     a used assertion of a client, until it expires
//	<prefix>h:<family> the history of a family, and
//	<prefix>q:<tag>    the family that a request was about
//	<prefix>r:{<n>}    what replicas are asked about, in a slot of each server (replication.go)
func (s *Store) userKey(user storage.UserTag, kind string) string {
	return s.options.KeyPrefix + "{" + user.String() + "}" + kind
}

func (s *Store) key(name string) string { return s.options.KeyPrefix + name }

// userKeys names keys of a user.
func (s *Store) userKeys(user storage.UserTag, kinds ...string) []string {
	base := s.userKey(user, "")
	keys := make([]string, len(kinds), len(kinds)+2)
	for i, kind := range kinds {
		keys[i] = base + kind
	}
	return keys
}

// markKeys name the watermarks, and what the next of them must reach.
func (s *Store) markKeys() []string { return []string{s.key("clients"), s.aheadKey()} }

// aheadKey names the latest date ahead of the clock.
func (s *Store) aheadKey() string { return s.common("a") }

// common names a key in the slot of the clients' watermarks.
func (s *Store) common(name string) string { return s.key("{" + s.key("clients") + "}" + name) }

// grantKeys is how the names of grants in the slot of the watermarks begin.
const grantKeys = "g:"

// grantKey names the text of a grant.
func (s *Store) grantKey(id storage.GrantID) string { return s.common(grantKeys + id.String()) }

// decidingKeys names what a decision about a client's grants reads: keys of the
// user, and markKeys. In a Cluster these lie on another node, and what the
// request knows counts (storage.ClientEnd).
func (s *Store) decidingKeys(user storage.UserTag, kinds ...string) []string {
	keys := s.userKeys(user, kinds...)
	if s.options.Mode != Cluster {
		keys = append(keys, s.markKeys()...)
	}
	return keys
}

// Kinds of a user's keys.
const (
	held      = "u"
	people    = "p"
	denied    = "d"
	upstreams = "r"
	consents  = "k"
	codes     = "c"
	bodies    = "b"
	ended     = "e"
	logouts   = "o"
)

// probed leads the keys that replicas are asked about, behind the prefix.
const probed = "r:"

// indexes is the kind of the keys of providers' names.
const indexes = "i"

// devices is the kind of the keys of devices' requests.
const devices = "v"

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

// unixSeconds returns a time in seconds, 0 for the zero time.
func unixSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// joined returns ids of 8 bytes in one text.
func joined[T ~[8]byte](ids []T) []byte {
	text := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		text = append(text, id[:]...)
	}
	return text
}

// flag is how scripts read a bool.
func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
