package tokens

import (
	"encoding/binary"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// A reference is text that we hand out and that comes back: a refresh token,
// an authorization code, a session cookie. Each names its user, carries a key
// of which the store knows only the hash, and ends in a MAC, so that what we
// did not make never reaches the store.

// reference is a code or a session cookie: user tag, key, MAC.
type reference struct {
	user storage.UserTag
	key  [16]byte
}

// text writes the reference under the minting secret.
func (r reference) text(s *secrets.Secrets, p secrets.Purpose) string {
	b := make([]byte, 0, 32+secrets.MACSize)
	b = append(b, r.user[:]...)
	b = append(b, r.key[:]...)
	mac := s.MAC(p, b)
	return storage.Encode(append(b, mac[:]...))
}

// parseReference reads a reference and checks its MAC. secret is the number of
// the secret it was made under, 0 being the one that mints.
func parseReference(s *secrets.Secrets, p secrets.Purpose, text string) (r reference, secret int, ok bool) {
	b, ok := storage.Decode(text, 32+secrets.MACSize)
	if !ok {
		return r, 0, false
	}
	secret, ok = s.CheckMAC(p, b[32:], b[:32])
	if !ok {
		return r, 0, false
	}
	return reference{user: storage.UserTag(b[:16]), key: [16]byte(b[16:32])}, secret, true
}

// refreshToken is what a refresh token says. All of it but the generation
// never changes in a family.
type refreshToken struct {
	user       storage.UserTag
	family     storage.FamilyKey
	client     storage.ClientTag
	grant      storage.GrantID
	generation uint32
	bound      jose.Confirmation // who may use it; zero for anybody who has it
}

// The form of a refresh token. One that is bound says to what: a byte of flags
// and two thumbprints, of which the missing one is left out.
const (
	refreshPrefix = "rt1."
	refreshSize   = 16 + 16 + 8 + 12 + 4

	boundToKey         = 1
	boundToCertificate = 2
	thumbprintSize     = len(jose.Thumbprint{})
)

// text writes the refresh token. The same generation is always the same text
// under the same secret: a successor is computed, not stored.
func (t refreshToken) text(s *secrets.Secrets) string {
	b := make([]byte, 0, refreshSize+1+2*thumbprintSize+secrets.MACSize)
	b = append(b, t.user[:]...)
	b = append(b, t.family[:]...)
	b = append(b, t.client[:]...)
	b = append(b, t.grant[:]...)
	b = binary.BigEndian.AppendUint32(b, t.generation)
	b = appendBound(b, t.bound)
	mac := s.MAC(secrets.PurposeRefresh, b)
	return refreshPrefix + storage.Encode(append(b, mac[:]...))
}

// parseRefreshToken reads a refresh token and checks its MAC.
func parseRefreshToken(s *secrets.Secrets, text string) (t refreshToken, secret int, ok bool) {
	rest, ok := strings.CutPrefix(text, refreshPrefix)
	if !ok {
		return t, 0, false
	}
	b, ok := decodeRefresh(rest)
	if !ok {
		return t, 0, false
	}
	body, mac := b[:len(b)-secrets.MACSize], b[len(b)-secrets.MACSize:]
	secret, ok = s.CheckMAC(secrets.PurposeRefresh, mac, body)
	if !ok {
		return t, 0, false
	}
	t = refreshToken{
		user:       storage.UserTag(b[:16]),
		family:     storage.FamilyKey(b[16:32]),
		client:     storage.ClientTag(b[32:40]),
		grant:      storage.GrantID(b[40:52]),
		generation: binary.BigEndian.Uint32(b[52:56]),
	}
	t.bound, ok = readBound(body[refreshSize:])
	return t, secret, ok && t.generation > 0
}

// decodeRefresh decodes a text that has the length of a refresh token, bound or not.
func decodeRefresh(text string) ([]byte, bool) {
	for _, bound := range []int{0, 1 + thumbprintSize, 1 + 2*thumbprintSize} {
		if b, ok := storage.Decode(text, refreshSize+bound+secrets.MACSize); ok {
			return b, true
		}
	}
	return nil, false
}

// appendBound writes what a refresh token is bound to, nothing for nothing.
func appendBound(b []byte, c jose.Confirmation) []byte {
	if !c.Bound() {
		return b
	}
	at := len(b)
	b = append(b, 0)
	if !c.Key.IsZero() {
		b[at] |= boundToKey
		b = append(b, c.Key[:]...)
	}
	if !c.Certificate.IsZero() {
		b[at] |= boundToCertificate
		b = append(b, c.Certificate[:]...)
	}
	return b
}

// readBound reads what appendBound wrote. Flags of a newer version are refused:
// a token must not pass as bound to less than it is.
func readBound(b []byte) (c jose.Confirmation, ok bool) {
	if len(b) == 0 {
		return c, true
	}
	flags, rest := b[0], b[1:]
	if flags&boundToKey != 0 && len(rest) >= thumbprintSize {
		c.Key, rest = jose.Thumbprint(rest[:thumbprintSize]), rest[thumbprintSize:]
	}
	if flags&boundToCertificate != 0 && len(rest) >= thumbprintSize {
		c.Certificate, rest = jose.Thumbprint(rest[:thumbprintSize]), rest[thumbprintSize:]
	}
	whole := len(rest) == 0 && flags&^(boundToKey|boundToCertificate) == 0
	return c, whole && (flags&boundToKey != 0) == !c.Key.IsZero() && (flags&boundToCertificate != 0) == !c.Certificate.IsZero()
}

// deadRefreshToken is the one answer for every refresh token that is dead,
// whatever killed it; the true reason stays private.
const deadRefreshToken = "Unknown or invalid refresh token."
