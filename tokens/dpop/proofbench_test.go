package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

// proofBench is a checker of proofs, and a client that makes any.
type proofBench struct {
	tb     testing.TB
	proofs *Proofs
	now    time.Time
	key    crypto.Signer
	made   atomic.Int64
}

const (
	proofURL   = "https://auth.example.com/oauth/token"
	proofToken = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
)

func newProofBench(tb testing.TB) *proofBench {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	b := &proofBench{tb: tb, now: time.Unix(1_700_000_000, 0), key: key}
	b.proofs = NewProofs(func() time.Time { return b.now })
	return b
}

// request is a good request of the token endpoint with a proof.
func (b *proofBench) request(proof string) Request {
	return Request{Proof: proof, Method: "POST", URLs: []string{proofURL}}
}

func (b *proofBench) header(change map[string]any) map[string]any {
	return tokenstest.Merge(map[string]any{"typ": typeProof, "alg": "ES256", "jwk": tokenstest.PublicJWK(b.tb, b.key)}, change)
}

func (b *proofBench) claims(change map[string]any) map[string]any {
	return tokenstest.Merge(map[string]any{
		"jti": fmt.Sprint("proof-", b.made.Add(1)), "htm": "POST", "htu": proofURL, "iat": b.now.Unix(),
	}, change)
}

// proof makes a good proof with changes: a nil value takes a member away.
func (b *proofBench) proof(header, claims map[string]any) string {
	b.tb.Helper()
	return b.sign(tokenstest.JSON(b.tb, b.header(header)), tokenstest.JSON(b.tb, b.claims(claims)))
}

// sign signs any text as header and payload.
func (b *proofBench) sign(header, payload string) string {
	b.tb.Helper()
	return tokenstest.SignInput(b.tb, b.key, tokenstest.Segment(header)+"."+tokenstest.Segment(payload))
}
