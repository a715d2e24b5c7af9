package handler

import (
	"crypto/sha256"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// The refusals of tokens that are not in the hands they are bound to. They are
// shared: nothing changes them.
var (
	errBound = &tokens.Error{
		Code: tokens.InvalidToken, Reason: tokens.ReasonBinding, Description: "The access token is bound to a key: send it with a DPoP proof.",
	}
	errUnbound = &tokens.Error{
		Code: tokens.InvalidToken, Reason: tokens.ReasonBinding, Description: "The access token is not bound to a key.",
	}
	errWrongKey = &tokens.Error{
		Code: tokens.InvalidToken, Reason: tokens.ReasonBinding, Description: "Invalid DPoP key binding",
	}
	errCertificate = &tokens.Error{
		Code: tokens.InvalidToken, Reason: tokens.ReasonBinding, Description: "The access token is bound to another client certificate than that of this connection.",
	}
)

// checkSender makes sure that a token comes from whom it is bound to, and as
// what it is: one that is bound to a key is no Bearer token, and one that is not
// gains nothing by a proof. See RFC 9449 §7.1 and §7.2, RFC 8705 §3.
func (g *Guard) checkSender(w http.ResponseWriter, r *http.Request, token string, source tokenSource, c *tokens.Claims) error {
	var bound tokens.Confirmation
	if c.Confirmation != nil {
		bound = *c.Confirmation
	}
	switch {
	case !bound.Certificate.IsZero() && bound.Certificate != certificateOf(r):
		return errCertificate
	case bound.Key.IsZero() && (source.dpop || g.cfg.DPoPRequired):
		return errUnbound
	case bound.Key.IsZero():
		return nil
	case !source.dpop || g.cfg.Proofs == nil:
		return errBound
	}
	offerNonce(w, g.cfg.Proofs)
	key, err := g.checkProof(r, token)
	if err != nil {
		return err
	}
	if key != bound.Key {
		return errWrongKey
	}
	return nil
}

// proved is what the guards of one request know of its proof: a client sends
// one proof with a request, however many guards stand in its way. The zero
// value is none.
type proved struct {
	what [sha256.Size]byte // of the proof and the token that it came with
	key  tokens.Thumbprint
}

// checkProof checks the proof that a request brings beside a token, unless an
// earlier guard of this very request has done so: in another one it would be a replay.
func (g *Guard) checkProof(r *http.Request, token string) (tokens.Thumbprint, error) {
	proof, err := readProof(r)
	if err != nil {
		return tokens.Thumbprint{}, err
	}
	if proof == "" {
		return tokens.Thumbprint{}, errNoProof
	}
	p := g.passage(r)
	what := sha256.Sum256([]byte(proof + " " + token)) // neither has a space
	if p != nil && !p.proved.key.IsZero() && p.proved.what == what {
		return p.proved.key, nil
	}
	key, err := g.cfg.Proofs.CheckProof(tokens.ProofRequest{Proof: proof, Method: r.Method, URLs: g.cfg.RequestURLs(r), AccessToken: token})
	if err == nil && p != nil {
		p.proved = proved{what, key}
	}
	return key, err
}

// aboutSender reports whether a refusal is one that a DPoP client has to fix,
// however the token was presented.
func aboutSender(e *tokens.Error) bool {
	return e.Code == tokens.InvalidDPoPProof || e.Code == tokens.UseDPoPNonce || e == errBound || e == errUnbound || e == errWrongKey
}

// proofAlgs is the parameter of a DPoP challenge that says what proofs may be
// signed with. See RFC 9449 §7.1.
var proofAlgs = `algs="` + strings.Join(tokens.ProofAlgorithms(), " ") + `"`

// dpopError is a DPoP challenge with the parameters that say what is wrong, if
// anything is: the error, the algorithms, and then the rest.
func dpopError(parameters string) string {
	code, rest, more := strings.Cut(strings.TrimPrefix(parameters, ", "), ", ")
	if code == "" {
		return "DPoP " + proofAlgs
	}
	if more {
		rest = ", " + rest
	}
	return "DPoP " + code + ", " + proofAlgs + rest
}

// requestURLs is what a request was sent to, as far as net/http knows.
func requestURLs(r *http.Request) []string { return []string{sameHost(r) + r.URL.EscapedPath()} }
