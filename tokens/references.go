package tokens

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// A reference is text that we hand out and that comes back: a refresh token,
// an authorization code, a session cookie. Each names its user, carries a key
// of which the store knows only the hash, and ends in a MAC, so that what we
// did not make never reaches the store.

// reference is a code or a session cookie: user tag, key, MAC.
type reference struct {
	user UserTag
	key  [16]byte
}

// text writes the reference under the minting secret.
func (r reference) text(s *Secrets, p Purpose) string {
	b := make([]byte, 0, 32+MACSize)
	b = append(b, r.user[:]...)
	b = append(b, r.key[:]...)
	mac := s.MAC(p, b)
	return b64(append(b, mac[:]...))
}

// parseReference reads a reference and checks its MAC. secret is the number of
// the secret it was made under, 0 being the one that mints.
func parseReference(s *Secrets, p Purpose, text string) (r reference, secret int, ok bool) {
	b, ok := decode(text, 32+MACSize)
	if !ok {
		return r, 0, false
	}
	secret, ok = s.CheckMAC(p, b[32:], b[:32])
	if !ok {
		return r, 0, false
	}
	return reference{user: UserTag(b[:16]), key: [16]byte(b[16:32])}, secret, true
}

// refreshToken is what a refresh token says. All of it but the generation
// never changes in a family.
type refreshToken struct {
	user       UserTag
	family     FamilyKey
	client     ClientTag
	grant      GrantID
	generation uint32
}

const (
	refreshPrefix = "rt1."
	refreshSize   = 16 + 16 + 8 + 12 + 4
)

// text writes the refresh token. The same generation is always the same text
// under the same secret: a successor is computed, not stored.
func (t refreshToken) text(s *Secrets) string {
	b := make([]byte, 0, refreshSize+MACSize)
	b = append(b, t.user[:]...)
	b = append(b, t.family[:]...)
	b = append(b, t.client[:]...)
	b = append(b, t.grant[:]...)
	b = binary.BigEndian.AppendUint32(b, t.generation)
	mac := s.MAC(PurposeRefresh, b)
	return refreshPrefix + b64(append(b, mac[:]...))
}

// parseRefreshToken reads a refresh token and checks its MAC.
func parseRefreshToken(s *Secrets, text string) (t refreshToken, secret int, ok bool) {
	rest, ok := strings.CutPrefix(text, refreshPrefix)
	if !ok {
		return t, 0, false
	}
	b, ok := decode(rest, refreshSize+MACSize)
	if !ok {
		return t, 0, false
	}
	secret, ok = s.CheckMAC(PurposeRefresh, b[refreshSize:], b[:refreshSize])
	if !ok {
		return t, 0, false
	}
	t = refreshToken{
		user:       UserTag(b[:16]),
		family:     FamilyKey(b[16:32]),
		client:     ClientTag(b[32:40]),
		grant:      GrantID(b[40:52]),
		generation: binary.BigEndian.Uint32(b[52:56]),
	}
	return t, secret, t.generation > 0
}

// decode reads base64url of exactly size bytes, in its one canonical spelling.
func decode(text string, size int) ([]byte, bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(size) || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return b, err == nil
}
