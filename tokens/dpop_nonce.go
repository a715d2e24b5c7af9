package tokens

import (
	"encoding/binary"
	"errors"
	"time"
)

// A nonce shows that a proof was made a short while ago, and not stored up by
// somebody who could once use the key. It is a slice of time under a MAC of the
// secret: nodes keep nothing, and accept each other's. See RFC 9449 §8 and §11.2.
const (
	nonceSlice = time.Minute // a nonce is good in its slice and in the ones beside it
	nonceSize  = 8 + MACSize
)

// CheckProof checks a DPoP proof as Proofs.CheckProof does, and its nonce where
// the configuration demands one: UseDPoPNonce asks for a proof with ProofNonce.
func (i *Issuer) CheckProof(r ProofRequest) (Thumbprint, error) {
	if !i.cfg.ProofNonces {
		return i.cfg.Proofs.check(r, nil)
	}
	set := i.state.settings.Load()
	if set == nil {
		return Thumbprint{}, unavailable(errors.New("checking nonce: the secret is not known yet"))
	}
	now := i.cfg.Clock()
	return i.cfg.Proofs.check(r, func(nonce string) bool { return goodNonce(set.Secrets, nonce, now) })
}

// ProofNonce returns what the next proof has to bring as its nonce, "" where
// none is demanded.
func (i *Issuer) ProofNonce() string {
	set := i.state.settings.Load()
	if !i.cfg.ProofNonces || set == nil {
		return ""
	}
	return nonceOf(set.Secrets, i.cfg.Clock())
}

func nonceOf(s *Secrets, now time.Time) string {
	b := make([]byte, 0, nonceSize)
	b = binary.BigEndian.AppendUint64(b, uint64(sliceOf(now)))
	mac := s.MAC(PurposeNonce, b)
	return b64(append(b, mac[:]...))
}

func goodNonce(s *Secrets, nonce string, now time.Time) bool {
	b, ok := decode(nonce, nonceSize)
	if !ok {
		return false
	}
	if _, ok := s.CheckMAC(PurposeNonce, b[8:], b[:8]); !ok {
		return false
	}
	apart := sliceOf(now) - int64(binary.BigEndian.Uint64(b))
	return -1 <= apart && apart <= 1 // nodes' clocks differ, too
}

func sliceOf(now time.Time) int64 { return now.Unix() / int64(nonceSlice/time.Second) }
