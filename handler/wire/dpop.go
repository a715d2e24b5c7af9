package wire

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// The headers of DPoP, in Go's spelling. See RFC 9449 §4.1 and §8.
const (
	ProofHeader = "Dpop"
	nonceHeader = "Dpop-Nonce"
)

var (
	errTwoProofs = &oauth.Error{Code: oauth.InvalidDPoPProof, Reason: oauth.ReasonProof, Description: "The DPoP header must be given once."}
	errNoProof   = &oauth.Error{Code: oauth.InvalidDPoPProof, Reason: oauth.ReasonProofMissing, Description: "The DPoP header with a proof is missing."}
)

// ReadProof reads the DPoP header, "" for none. See RFC 9449 §4.3 item 1.
func ReadProof(r *http.Request) (string, error) {
	switch lines := r.Header[ProofHeader]; len(lines) {
	case 0:
		return "", nil
	case 1:
		if lines[0] == "" {
			return "", errNoProof
		}
		return lines[0], nil
	}
	return "", errTwoProofs
}

// RequireProof is ReadProof where a proof must be there.
func RequireProof(r *http.Request) (string, error) {
	proof, err := ReadProof(r)
	if err == nil && proof == "" {
		err = errNoProof
	}
	return proof, err
}

// OfferNonce gives a client the nonce of its next proof, where one is demanded.
// See RFC 9449 §8.
func OfferNonce(w http.ResponseWriter, proofs dpop.Checker) {
	if nonce := proofs.ProofNonce(); nonce != "" {
		w.Header()[nonceHeader] = []string{nonce}
	}
}
