package storage

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// UserTag names a person or machine: the first 128 bits of SHA-256 of the
// subject. All that one subject owns (families, sessions, codes, profile,
// denylist entries) is kept under its tag, so that each decision about it is
// one atomic store call.
type UserTag [16]byte

// TagSubject returns the tag of a subject such as "local|alice".
func TagSubject(subject string) UserTag { return UserTag(Hash16("", []byte(subject))) }

// String returns the tag as base64url, as it stands in key names.
func (t UserTag) String() string { return Encode(t[:]) }

// ParseUserTag reads what String wrote.
func ParseUserTag(s string) (UserTag, bool) {
	tag, ok := parse16(s)
	return UserTag(tag), ok
}

// FamilyKey is the 128 random bits of a family that only its refresh tokens carry.
type FamilyKey [16]byte

// ID returns the public name of the family.
func (k FamilyKey) ID() FamilyID { return FamilyID(Hash16("family", k[:])) }

// FamilyID is the hash of a FamilyKey: what the store, access tokens, logs and
// tools know of a family.
type FamilyID [16]byte

// String returns the ID as base64url, as in the access token's family claim.
func (f FamilyID) String() string { return Encode(f[:]) }

// ParseFamilyID reads what String wrote.
func ParseFamilyID(s string) (FamilyID, bool) {
	id, ok := parse16(s)
	return FamilyID(id), ok
}

// ClientTag names a client: 64 bits. Its first bits say of which kind the client is, so
// that a store can bound, and an operator end, all clients of a kind together.
//
//	0   of the configuration: the rest is of SHA-256 of the client_id. The configuration
//	    refuses two with one tag
//	10  one that has registered itself: the rest is of a MAC of the client_id, under a key
//	    that no client knows, so that nobody can search for two ids with one tag
//	11  one that publishes its metadata: as 10
type ClientTag [8]byte

// The first bits of tags, and what is left of the first byte.
const (
	unregisteredBit = 0x80
	kindBits        = 0xc0
)

// The tags that stand for all clients of a kind, as Everyone does for all: what begun
// before their watermark is over.
var (
	AllRegistered = ClientTag{unregisteredBit}
	AllDocuments  = ClientTag{kindBits}
)

// TagClient returns the tag of a client_id of the configuration.
func TagClient(clientID string) ClientTag {
	h := sha256.Sum256([]byte(clientID))
	h[0] &^= unregisteredBit
	return ClientTag(h[:8])
}

// Of returns the tag of a client that is of the kind that t stands for (AllRegistered,
// AllDocuments), by a MAC of its client_id.
func (t ClientTag) Of(mac [16]byte) ClientTag {
	tag := ClientTag(mac[:8])
	tag[0] = tag[0]&^kindBits | t[0]
	return tag
}

// Unregistered reports whether the client is one that no configuration names.
func (t ClientTag) Unregistered() bool { return t[0]&unregisteredBit != 0 }

// kindNames are what is written before the tags of clients that no configuration names, or
// none any more.
var kindNames = map[ClientTag]string{AllRegistered: "registered:", AllDocuments: "document:", Everyone: "removed:"}

// String returns the tag of a client that no configuration names as operators see and write
// it: its kind and base64url.
func (t ClientTag) String() string { return kindNames[t.Kind()] + Encode(t[:]) }

// KindName says of which kind a client is that no configuration names: registered, document,
// or removed.
func (t ClientTag) KindName() string { return strings.TrimSuffix(kindNames[t.Kind()], ":") }

// ParseClientTag reads what String wrote of one client.
func ParseClientTag(s string) (ClientTag, bool) {
	for kind, name := range kindNames {
		if text, ok := strings.CutPrefix(s, name); ok {
			b, ok := Decode(text, len(ClientTag{}))
			if !ok || ClientTag(b).Kind() != kind || ClientTag(b) == kind { // which stands for all of them
				return ClientTag{}, false
			}
			return ClientTag(b), true
		}
	}
	return ClientTag{}, false
}

// Kind returns the tag that stands for all clients of the same kind, Everyone for one of
// the configuration.
func (t ClientTag) Kind() ClientTag {
	if !t.Unregistered() {
		return Everyone
	}
	return ClientTag{t[0] & kindBits}
}

// Together reports whether CreateRequest.MaxActive bounds the families of two clients
// together: those of one client, and those of all that nobody registered.
func (t ClientTag) Together(other ClientTag) bool {
	return t == other || t.Unregistered() && other.Unregistered()
}

// GrantID is the content hash of a Grant: 96 bits of SHA-256. Grants are
// combinations of configured scopes, so nobody can search for a collision.
type GrantID [12]byte

// String returns the ID as base64url, as it stands in key names.
func (g GrantID) String() string { return Encode(g[:]) }

// ParseGrantID reads what String wrote.
func ParseGrantID(s string) (GrantID, bool) {
	b, ok := Decode(s, len(GrantID{}))
	if !ok {
		return GrantID{}, false
	}
	return GrantID(b), true
}

// SessionKey is the 128 random bits of a login session that only its cookie carries.
type SessionKey [16]byte

// ID returns the public name of the session.
func (k SessionKey) ID() SessionID {
	h := Hash16("session", k[:])
	return SessionID(h[:8])
}

// SessionID is the hash of a SessionKey, and the `sid` claim. It names a
// session among those of one user and opens nothing, so 64 bits are enough.
type SessionID [8]byte

// String returns the ID as base64url, as in the sid claim.
func (s SessionID) String() string { return Encode(s[:]) }

// MarshalText writes what String returns.
func (s SessionID) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *SessionID) UnmarshalText(text []byte) error {
	id, ok := ParseSessionID(string(text))
	if !ok {
		return errors.New("reading session id: malformed")
	}
	*s = id
	return nil
}

// ParseSessionID reads what String wrote.
func ParseSessionID(s string) (SessionID, bool) {
	b, ok := Decode(s, len(SessionID{}))
	if !ok {
		return SessionID{}, false
	}
	return SessionID(b), true
}

// CodeKey is the 128 random bits of an authorization code.
type CodeKey [16]byte

// ID returns the name under which the store keeps the code.
func (k CodeKey) ID() CodeID { return CodeID(Hash16("code", k[:])) }

// FamilyKey returns the key of the family that this code, and no other, can
// begin. A request that presents the code again thereby names the family to end, and
// the store, which knows only the code's hash, cannot compute it.
func (k CodeKey) FamilyKey() FamilyKey { return FamilyKey(Hash16("code-family", k[:])) }

// CodeID is the hash of a CodeKey.
type CodeID [16]byte

// DeviceID is the keyed hash of a user code: the name under which the store
// keeps a device's request. User codes are short, so a bare hash would tell them.
type DeviceID [16]byte

// String returns the ID as base64url, as it stands in key names.
func (d DeviceID) String() string { return Encode(d[:]) }

// TokenID is the `jti` of an access token.
type TokenID [16]byte

// String returns the jti claim.
func (t TokenID) String() string { return Encode(t[:]) }

// ParseTokenID reads a jti of ours.
func ParseTokenID(s string) (TokenID, bool) {
	id, ok := parse16(s)
	return TokenID(id), ok
}

// Attempt identifies one try of one logical request, drawn at random. A store
// call that is sent again after a lost reply carries the same Attempt and gets
// the same answer.
//
// It begins with the NodeMark of the node that draws it.
type Attempt [8]byte

// NodeMark names a process of a gateway, as long as that runs. It is drawn at
// random, and neither zero nor the beginning of unanswered.
type NodeMark [3]byte

// Node returns the node that has drawn the attempt.
func (a Attempt) Node() NodeMark { return NodeMark(a[:3]) }

// unanswered stands in the place of an Attempt that was never answered.
var unanswered = Attempt{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Fingerprint is a short hash of what lets a user in: a local user's password
// hash, or a provider's login as it is configured. A refresh or session of a
// profile with none of those that the configuration gives the user is refused: the
// password was changed, or the login is another one or gone.
type Fingerprint [8]byte

// FingerprintOf hashes a stored password hash for the profile.
func FingerprintOf(passwordHash string) Fingerprint {
	h := Hash16("password", []byte(passwordHash))
	return Fingerprint(h[:8])
}

// Mark is a short hash of a Fingerprint, which access tokens of local users carry: it tells
// one password of a user from another, and nothing about either.
type Mark [4]byte

// Mark returns the mark of a fingerprint.
func (f Fingerprint) Mark() Mark {
	h := Hash16("mark", f[:])
	return Mark(h[:4])
}

// String returns the mark as base64url: 6 characters.
func (m Mark) String() string { return Encode(m[:]) }

// ParseMark reads what String wrote.
func ParseMark(s string) (Mark, bool) {
	b, ok := Decode(s, len(Mark{}))
	if !ok {
		return Mark{}, false
	}
	return Mark(b), true
}

// MarshalText writes the fingerprint as base64url.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(Encode(f[:])), nil }

// UnmarshalText reads what MarshalText wrote.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	b, ok := Decode(string(text), len(f))
	if !ok {
		return errors.New("reading fingerprint: malformed")
	}
	*f = Fingerprint(b)
	return nil
}

// Hash16 returns the first 128 bits of SHA-256 over domain and b. A domain for each kind
// of id keeps one value from having the same hash as two of them.
func Hash16(domain string, b []byte) [16]byte {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write(b)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return [16]byte(sum[:16])
}

// Encode writes bytes as base64url without padding. See RFC 4648 §5.
func Encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func parse16(s string) ([16]byte, bool) {
	b, ok := Decode(s, 16)
	if !ok {
		return [16]byte{}, false
	}
	return [16]byte(b), true
}

// RequestTag is the hash of a request's id, by which its history is found.
type RequestTag [16]byte

// TagRequest returns the tag of a request id, as the log shows it.
func TagRequest(id string) RequestTag { return RequestTag(Hash16("request", []byte(id))) }

// String returns the tag as base64url, as it stands in key names.
func (r RequestTag) String() string { return Encode(r[:]) }

// Decode reads base64url without padding of exactly size bytes, in its one canonical
// spelling; false for any other text. See RFC 4648 §3.5.
func Decode(text string, size int) ([]byte, bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(size) || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return b, err == nil
}

// SessionID names the session that begins with a device's code.
func (c CodeID) SessionID() SessionID {
	h := Hash16("device-session", c[:])
	return SessionID(h[:8])
}
