package tokens

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// KeySettings say which signing keys a KeyRing holds and how they live.
type KeySettings struct {
	Secrets       *Secrets
	Algorithms    []jose.Algorithm
	RotateEvery   time.Duration // 0 is 90 days
	KeepFor       time.Duration // the longest lifetime of a token plus leeway: how long a replaced key still verifies
	PublishBefore time.Duration // how long a key is in the JWKS before it signs; 0 is one hour
}

// KeyState says what a key is for now.
type KeyState string

// The states of a key.
const (
	KeyNext    KeyState = "next"    // published, not yet used
	KeyCurrent KeyState = "current" // signs
	KeyOld     KeyState = "old"     // replaced; still verifies
)

// KeyInfo is what operators may see of a signing key.
type KeyInfo struct {
	ID        string         `json:"kid"`
	Algorithm jose.Algorithm `json:"alg"`
	State     KeyState       `json:"state"`
	Created   time.Time      `json:"created"`
	UseFrom   time.Time      `json:"use_from"`
}

// KeyRing holds the signing keys that all nodes on one store share. Reading
// is lock-free. Safe for concurrent use.
type KeyRing struct {
}

// NewKeyRing makes a ring over a store. It does no I/O; clock nil is time.Now.
func NewKeyRing(store KeyStore, observer Observer, clock func() time.Time) *KeyRing {
	panic("unwritten")
}

// Configure applies settings; the latest win. Call it before Load.
func (r *KeyRing) Configure(set KeySettings) { panic("unwritten") }

// Load reads the keys from the store and creates those that are missing.
// ErrWrongSecret when none of the secrets opens them.
func (r *KeyRing) Load(ctx context.Context) error { panic("unwritten") }

// Tick does what is due: adopts what other nodes wrote, prepares the next
// keys, puts them to use, drops those whose last token is dead, and seals
// again under the minting secret.
func (r *KeyRing) Tick(ctx context.Context) error { panic("unwritten") }

// Run calls Tick until ctx ends.
func (r *KeyRing) Run(ctx context.Context) { panic("unwritten") }

// Rotate makes new keys now. They are used after PublishBefore, or at once
// when immediate, which relying parties with a cached JWKS will notice.
func (r *KeyRing) Rotate(ctx context.Context, immediate bool) error { panic("unwritten") }

// Signer returns the key that signs with alg now.
func (r *KeyRing) Signer(alg jose.Algorithm) (*jose.PrivateKey, error) { panic("unwritten") }

// Verifier returns the key with an ID, or nil.
func (r *KeyRing) Verifier(kid string) *jose.PublicKey { panic("unwritten") }

// Epoch changes whenever a key is added or dropped.
func (r *KeyRing) Epoch() uint64 { panic("unwritten") }

// JWKS returns the published keys as a JWK set. The slice must not be changed.
func (r *KeyRing) JWKS() []byte { panic("unwritten") }

// Keys describes the keys.
func (r *KeyRing) Keys() []KeyInfo { panic("unwritten") }
