package dpop

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// A nonce shows that a proof was made a short while ago, and not stockpiled by
// someone who could once use the key. It is a slice of time under a MAC of the
// secret: nodes keep nothing, and accept each other's. See RFC 9449 §8 and §11.2.
const (
	nonceSlice = time.Minute // a nonce is good in its slice and in the ones beside it
	nonceSize  = 8 + secrets.MACSize
)

// Nonces checks DPoP proofs as its Proofs does, and demands that each brings a
// nonce of this gateway's. Safe for concurrent use.
type Nonces struct {
	proofs  *Proofs
	secrets func() *secrets.Secrets
}

// NewNonces makes a Nonces. The nonces are under what secrets returns, which is
// nil as long as the secret is not known.
func NewNonces(proofs *Proofs, secrets func() *secrets.Secrets) *Nonces {
	return &Nonces{proofs, secrets}
}

// CheckProof checks a DPoP proof as Proofs.CheckProof does, and its nonce:
// UseDPoPNonce asks for a proof with ProofNonce.
func (n *Nonces) CheckProof(r Request) (jose.Thumbprint, error) {
	s := n.secrets()
	if s == nil {
		return jose.Thumbprint{}, oauth.Unavailable(errors.New("checking nonce: the secret is not known yet"))
	}
	now := n.proofs.clock()
	return n.proofs.check(r, func(nonce string) bool { return goodNonce(s, nonce, now) })
}

// ProofNonce returns what the next proof has to bring as its nonce, "" as long
// as the secret is not known.
func (n *Nonces) ProofNonce() string {
	s := n.secrets()
	if s == nil {
		return ""
	}
	return nonceOf(s, n.proofs.clock())
}

func nonceOf(s *secrets.Secrets, now time.Time) string {
	b := make([]byte, 0, nonceSize)
	b = binary.BigEndian.AppendUint64(b, uint64(sliceOf(now)))
	mac := s.MAC(secrets.PurposeNonce, b)
	return storage.Encode(append(b, mac[:]...))
}

func goodNonce(s *secrets.Secrets, nonce string, now time.Time) bool {
	b, ok := storage.Decode(nonce, nonceSize)
	if !ok {
		return false
	}
	if _, ok := s.CheckMAC(secrets.PurposeNonce, b[8:], b[:8]); !ok {
		return false
	}
	apart := sliceOf(now) - int64(binary.BigEndian.Uint64(b))
	return -1 <= apart && apart <= 1 // nodes' clocks differ, too
}

func sliceOf(now time.Time) int64 { return now.Unix() / int64(nonceSlice/time.Second) }
