// Package dpop checks DPoP proofs: their form and signature, that each is used
// once on this node, and the nonces that a gateway may demand. It does not know which key a
// request needs: it returns the thumbprint, and the caller compares.
//
// Begin reading at Proofs. See RFC 9449.
package dpop

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// typeProof is the typ of a DPoP proof. See RFC 9449 §4.2.
const typeProof = "dpop+jwt"

// How old a proof may be, by its own clock, and how far ahead. See RFC 9449 §11.1.
const (
	proofAge   = 60 * time.Second
	proofAhead = oauth.DefaultLeeway
)

// Request is a DPoP proof and the request that it came with.
type Request struct {
	Proof  string
	Method string
	// URLs are what the request was sent to: each name that it goes by. Query
	// and fragment count for nothing.
	URLs []string
	// AccessToken is what the request presents beside the proof, "" where it
	// asks for one.
	AccessToken string
}

// Proofs checks DPoP proofs, and remembers them for as long as they are good,
// so that each works once on this node: other nodes are not asked, and a proof
// that was intercepted may pass there for at most proofAge. Nonces do not shorten
// that; TLS is what keeps proofs from being intercepted. Safe for concurrent use.
// See RFC 9449 §4.3 and §11.1.
type Proofs struct {
	clock func() time.Time
	seen  *replayWindow
	keys  *proofKeys
}

// NewProofs makes a Proofs. A nil clock is time.Now.
func NewProofs(clock func() time.Time) *Proofs {
	if clock == nil {
		clock = time.Now
	}
	return &Proofs{clock: clock, seen: newReplayWindow(), keys: newProofKeys()}
}

// The refusals of a proof. They are shared: nothing changes them. The client
// made the proof, so it may know what is wrong with it.
var (
	errProofForm      = badProof(oauth.ReasonProof, "The DPoP proof is malformed.")
	errProofType      = badProof(oauth.ReasonProof, "The DPoP proof must have typ dpop+jwt.")
	errProofAlgorithm = badProof(oauth.ReasonProof, "The DPoP proof is signed with an algorithm that is not supported.")
	errProofKey       = badProof(oauth.ReasonProof, "The jwk of the DPoP proof is not a sound public key for its algorithm.")
	errProofMethod    = badProof(oauth.ReasonProof, "The htm of the DPoP proof is not the method of this request.")
	errProofURL       = badProof(oauth.ReasonProof, "The htu of the DPoP proof is not the URL of this request without query and fragment.")
	errProofTime      = badProof(oauth.ReasonProof, "The DPoP proof is too old, or its iat lies ahead.")
	errProofToken     = badProof(oauth.ReasonProof, "The ath of the DPoP proof is not the hash of the access token.")
	errProofSignature = badProof(oauth.ReasonProof, "The signature of the DPoP proof is wrong.")
	errProofReplayed  = badProof(oauth.ReasonProofReplayed, "The DPoP proof was used before.")
	errProofNonce     = oauth.Refuse(oauth.UseDPoPNonce, oauth.ReasonProofNonce, "The DPoP proof needs the nonce of the header DPoP-Nonce.")
)

func badProof(reason oauth.Reason, description string) *oauth.Error {
	return oauth.Refuse(oauth.InvalidDPoPProof, reason, description)
}

// CheckProof checks a proof and returns the thumbprint of its key. Whether
// that is the right one is the caller's to say. Errors: a shared *oauth.Error with
// oauth.InvalidDPoPProof, or oauth.TemporarilyUnavailable while more proofs come than can
// be remembered. See RFC 9449 §4.3.
func (p *Proofs) CheckProof(r Request) (jose.Thumbprint, error) { return p.check(r, nil) }

// ProofNonce returns "": a Proofs alone demands none.
func (p *Proofs) ProofNonce() string { return "" }

// check checks a proof, cheap things first. A nonce is demanded where there is
// something that knows good ones.
func (p *Proofs) check(r Request, goodNonce func(string) bool) (jose.Thumbprint, error) {
	proof, err := readProof(r.Proof)
	if err != nil {
		return jose.Thumbprint{}, err
	}
	now := p.clock()
	if err := proof.fits(r, now); err != nil {
		return jose.Thumbprint{}, err
	}
	if goodNonce != nil && !goodNonce(proof.nonce) {
		return jose.Thumbprint{}, errProofNonce
	}
	key, err := p.keys.verify(proof)
	if err != nil {
		return jose.Thumbprint{}, err
	}
	return key, p.seen.take(key, proof.id, now)
}

// fits holds what a proof says against the request. See RFC 9449 §4.3 items 8 to 12.
func (p *proof) fits(r Request, now time.Time) error {
	switch {
	case p.method != r.Method:
		return errProofMethod
	case !proofURLMatches(p.url, r.URLs):
		return errProofURL
	case p.issued.After(now.Add(proofAhead)), now.Sub(p.issued) > proofAge,
		p.notBefore.After(now.Add(proofAhead)), !p.expiry.IsZero() && !now.Before(p.expiry.Add(oauth.DefaultLeeway)):
		return errProofTime
	case r.AccessToken != "" && !hashes(p.tokenHash, r.AccessToken):
		return errProofToken
	}
	return nil
}

// hashes reports whether text is the hash of a token. See RFC 9449 §4.2 ath.
func hashes(text, token string) bool {
	sum := sha256.Sum256([]byte(token))
	var want [43]byte
	base64.RawURLEncoding.Encode(want[:], sum[:])
	return subtle.ConstantTimeCompare(want[:], []byte(text)) == 1
}

// Checker checks DPoP proofs. See RFC 9449 §4.3.
type Checker interface {
	// CheckProof returns the thumbprint of the key that made the proof. Errors: a
	// shared *oauth.Error with InvalidDPoPProof or UseDPoPNonce, or TemporarilyUnavailable.
	CheckProof(r Request) (jose.Thumbprint, error)
	// ProofNonce is what the next proof has to bring, "" where none is demanded.
	ProofNonce() string
}
