// Package clientid makes client_ids that say themselves what their clients have registered,
// so that a registration keeps nothing: the metadata and a MAC. What was registered twice is
// one id, unless the client has a secret.
//
//	rc1.<base64url( flags | 16 random bytes, with a secret | name and redirect URIs, packed | mac )>
//
// Begin reading at Keys. See RFC 7591.
package clientid

import (
	"crypto/hmac"
	"encoding/base64"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
)

// Prefix begins each such client_id, and no other.
const Prefix = "rc1."

// MaxSize is how long a client_id may be, in bytes. Longer ones are not made; one that was
// made is always read.
const MaxSize = 1024

// Method is how a client said that it authenticates at the token endpoint.
type Method byte

// The methods that can be registered. See RFC 7591 §2.
const (
	MethodNone Method = iota
	MethodBasic
	MethodPost
)

// Metadata is what a client has registered. None of its texts has a control character.
type Metadata struct {
	Name         string
	RedirectURIs []string // those on loopback addresses without their ports
	Method       Method
	NoRefresh    bool // it has said which grants it uses, and refresh_token is not among them
}

// The flags, beside the method.
const (
	methodBits    = 0x03
	flagNoRefresh = 0x04
	knownFlags    = methodBits | flagNoRefresh
)

// randomSize is how many random bytes are in the id of a client with a secret: its secret is
// a MAC of its id, which must be nobody else's.
const randomSize = 16

// Keys are the keys that client_ids are made with. They never change: an id is good for
// ever. Safe for concurrent use.
type Keys struct{ id, secret, tag *secrets.MACKey }

// NewKeys derives them from the key that the store keeps for this.
func NewKeys(lasting []byte) (*Keys, error) {
	var k Keys
	var err error
	for use, key := range map[string]**secrets.MACKey{
		"gatehouse/v1/client/id": &k.id, "gatehouse/v1/client/secret": &k.secret, "gatehouse/v1/client/tag": &k.tag,
	} {
		if *key, err = secrets.NewMACKey(lasting, use); err != nil {
			return nil, err
		}
	}
	return &k, nil
}

var encoding = base64.RawURLEncoding.Strict()

// Seal makes the client_id. Random counts for clients with a secret alone.
func (k *Keys) Seal(m Metadata, random [randomSize]byte) string {
	flags := byte(m.Method)
	if m.NoRefresh {
		flags |= flagNoRefresh
	}
	body := make([]byte, 0, 128)
	body = append(body, flags)
	if m.Method != MethodNone {
		body = append(body, random[:]...)
	}
	body = append(body, pack(strings.Join(append([]string{m.Name}, m.RedirectURIs...), "\n"))...)
	mac := k.id.Sum(body)
	return Prefix + encoding.EncodeToString(append(body, mac[:]...))
}

// Open returns what was registered, and false for an id that these keys have not made.
func (k *Keys) Open(id string) (m Metadata, ok bool) {
	text, ok := strings.CutPrefix(id, Prefix)
	if !ok {
		return m, false
	}
	b, err := encoding.DecodeString(text)
	if err != nil || len(b) <= secrets.MACSize || encoding.EncodeToString(b) != text { // decoding passes over line ends
		return m, false
	}
	body, mac := b[:len(b)-secrets.MACSize], b[len(b)-secrets.MACSize:]
	if sum := k.id.Sum(body); !hmac.Equal(sum[:], mac) {
		return m, false
	}
	flags, packed := body[0], body[1:]
	m.Method, m.NoRefresh = Method(flags&methodBits), flags&flagNoRefresh != 0
	if flags&^knownFlags != 0 || m.Method > MethodPost {
		return Metadata{}, false // of a newer version
	}
	if m.Method != MethodNone {
		if len(packed) < randomSize {
			return Metadata{}, false
		}
		packed = packed[randomSize:]
	}
	lines := strings.Split(unpack(packed), "\n")
	m.Name, m.RedirectURIs = lines[0], lines[1:]
	return m, true
}

// Secret returns the secret of a client that has one.
func (k *Keys) Secret(id string) string {
	mac := k.secret.Sum([]byte(id))
	return encoding.EncodeToString(mac[:])
}

// Tag returns the bits by which a store knows a client that no configuration names.
func (k *Keys) Tag(id string) [16]byte { return k.tag.Sum([]byte(id)) }
