package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// The headers of DPoP, in Go's spelling. See RFC 9449 §4.1 and §8.
const (
	proofHeader = "Dpop"
	nonceHeader = "Dpop-Nonce"
)

// ProofChecker checks DPoP proofs. *tokens.Issuer is one, which may demand
// nonces; *tokens.Proofs is one that does not.
type ProofChecker interface {
	CheckProof(r tokens.ProofRequest) (tokens.Thumbprint, error)
	// ProofNonce is what the next proof has to bring, "" where none is demanded.
	ProofNonce() string
}

var (
	errTwoProofs = &tokens.Error{Code: tokens.InvalidDPoPProof, Reason: tokens.ReasonProof, Description: "The DPoP header must be given once."}
	errNoProof   = &tokens.Error{Code: tokens.InvalidDPoPProof, Reason: tokens.ReasonProofMissing, Description: "The DPoP header with a proof is missing."}
)

// readProof reads the DPoP header, "" for none. See RFC 9449 §4.3 item 1.
func readProof(r *http.Request) (string, error) {
	switch lines := r.Header[proofHeader]; len(lines) {
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

// offerNonce gives a client the nonce of its next proof, where one is demanded.
// See RFC 9449 §8.
func offerNonce(w http.ResponseWriter, proofs ProofChecker) {
	if nonce := proofs.ProofNonce(); nonce != "" {
		w.Header()[nonceHeader] = []string{nonce}
	}
}

// sender returns what a client has proved to hold: the key of a DPoP proof, the
// certificate of its connection. A proof that is there must be good.
func (s *Server) sender(w http.ResponseWriter, r *http.Request, client *tokens.Client, endpoint string) (tokens.Confirmation, error) {
	offerNonce(w, s.Issuer)
	sender := tokens.Confirmation{Certificate: certificateOf(r)}
	proof, err := readProof(r)
	if err == nil && proof != "" {
		sender.Key, err = s.Issuer.CheckProof(tokens.ProofRequest{Proof: proof, Method: r.Method, URLs: s.urlsOf(endpoint, r)})
	}
	if err == nil {
		return sender, nil
	}
	if e := tokens.AsError(err); e.Code != tokens.UseDPoPNonce { // which is how a nonce is asked for, and no fault
		s.Observer.Happened(r.Context(), tokens.Event{Kind: tokens.EventTokenRefused, Outcome: tokens.Outcome(e.Reason), Client: client.ID, Cause: e.Cause})
	}
	return sender, err
}

// urlsOf returns what a request to an endpoint was sent to. The origin is that
// of the issuer and nothing that the request says; the path is the endpoint's, or
// the spelling or alias of it that the request has.
func (s *Server) urlsOf(endpoint string, r *http.Request) []string {
	return []string{s.urlOf(endpoint), s.origin + r.URL.EscapedPath()}
}
