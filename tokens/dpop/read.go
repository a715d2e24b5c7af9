package dpop

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// proof is a DPoP proof whose form has been checked, and nothing else.
type proof struct {
	alg jose.Algorithm
	key []byte // the jwk, as text

	id        string // jti
	method    string // htm
	url       string // htu
	tokenHash string // ath, "" for none
	nonce     string // "" for none
	issued    time.Time
	expiry    time.Time // zero for none, as notBefore
	notBefore time.Time

	signed    string
	signature []byte
}

// maxProofID is the most characters that a jti may have.
const maxProofID = 256

// proofAlgorithms are what a proof may be signed with, in the order in which
// the challenges name them: the small ones first. Ed25519 is the newer name of
// what EdDSA means here (RFC 9864 §2.2).
var proofAlgorithms = []struct {
	name string
	alg  jose.Algorithm
}{
	{"ES256", jose.ES256},
	{"EdDSA", jose.EdDSA},
	{"Ed25519", jose.EdDSA},
	{"ES384", jose.ES384},
	{"ES512", jose.ES512},
	{"PS256", jose.PS256},
	{"PS384", jose.PS384},
	{"PS512", jose.PS512},
	{"RS256", jose.RS256},
	{"RS384", jose.RS384},
	{"RS512", jose.RS512},
}

// Algorithms returns the JWA names that a DPoP proof may be signed with,
// all of them with a public key. See RFC 9449 §5.1.
func Algorithms() []string {
	names := make([]string, len(proofAlgorithms))
	for i, a := range proofAlgorithms {
		names[i] = a.name
	}
	return names
}

// readProof reads a proof as strictly as an access token. See RFC 9449 §4.3
// items 2 to 5.
func readProof(text string) (*proof, error) {
	header, t, err := jose.SplitCompact(text)
	if err != nil {
		return nil, errProofForm
	}
	p := &proof{signed: t.Signed, signature: t.Signature}
	h, err := p.readHeader(header)
	if err != nil {
		return nil, errProofForm
	}
	if !h.TypeIs(typeProof) {
		return nil, errProofType
	}
	for _, a := range proofAlgorithms {
		if a.name == h.Alg {
			p.alg = a.alg
		}
	}
	if p.alg == "" {
		return nil, errProofAlgorithm
	}
	if p.key == nil {
		return nil, errProofKey
	}
	return p, p.readPayload(t.Payload)
}

// readHeader reads the header, which has to bring its key, and may bring it in
// no other way than by jwk.
func (p *proof) readHeader(object []byte) (h jose.Header, err error) {
	r, err := jose.ReadJSON(object)
	if err != nil {
		return h, err
	}
	defer r.Close()
	for {
		name, err := r.Next()
		if err != nil {
			return h, err
		}
		if name == nil {
			break
		}
		switch string(name) {
		case "alg":
			h.Alg, err = r.String()
		case "typ":
			h.Typ, err = r.String()
		case "jwk":
			p.key, err = r.RawObject()
		case "crit", "b64", "jku", "x5u", "x5c", "zip", "enc", "p2c", "p2s":
			err = jose.ErrJSON
		default:
			err = r.Skip()
		}
		if err != nil {
			return h, err
		}
	}
	return h, r.End()
}

// readPayload reads the claims of a proof. See RFC 9449 §4.2.
func (p *proof) readPayload(object []byte) error {
	r, err := jose.ReadJSON(object)
	if err != nil {
		return errProofForm
	}
	defer r.Close()
	for {
		name, err := r.Next()
		if err != nil {
			return errProofForm
		}
		if name == nil {
			break
		}
		if p.readClaim(string(name), r) != nil {
			return errProofForm
		}
	}
	if r.End() != nil || p.id == "" || len(p.id) > maxProofID || p.method == "" || p.url == "" || p.issued.IsZero() {
		return errProofForm
	}
	return nil
}

func (p *proof) readClaim(name string, r *jose.JSONReader) (err error) {
	switch name {
	case "jti":
		p.id, err = r.String()
	case "htm":
		p.method, err = r.String()
	case "htu":
		p.url, err = r.String()
	case "ath":
		p.tokenHash, err = r.String()
	case "nonce":
		p.nonce, err = r.String()
	case "iat":
		p.issued, err = r.NumericDate()
	case "exp":
		p.expiry, err = r.NumericDate()
	case "nbf":
		p.notBefore, err = r.NumericDate()
	default:
		err = r.Skip()
	}
	return err
}
