package guard

import (
	"crypto/sha256"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// CheckSender makes sure that a token comes from whom it is bound to, with the
// guard's own say in whether it must be bound to a key.
func (g *Guard) checkSender(w http.ResponseWriter, r *http.Request, token string, source tokenSource, c *verify.Claims) error {
	var prove func() (jose.Thumbprint, error)
	if g.cfg.Proofs != nil {
		prove = func() (jose.Thumbprint, error) {
			wire.OfferNonce(w, g.cfg.Proofs)
			return g.checkProof(r, token)
		}
	}
	if err := wire.CheckSender(r, c.Confirmation, source.dpop, prove); err != nil {
		return err
	}
	if g.cfg.DPoPRequired && (c.Confirmation == nil || c.Confirmation.Key.IsZero()) {
		return wire.ErrUnbound
	}
	return nil
}

// checkProof checks the proof that a request brings beside a token, unless an
// earlier guard of this very request has done so: in another one it would be a replay.
func (g *Guard) checkProof(r *http.Request, token string) (jose.Thumbprint, error) {
	proof, err := wire.RequireProof(r)
	if err != nil {
		return jose.Thumbprint{}, err
	}
	p := g.passage(r)
	what := sha256.Sum256([]byte(proof + " " + token)) // neither has a space
	if p != nil && !p.proved.key.IsZero() && p.proved.what == what {
		return p.proved.key, nil
	}
	key, err := g.cfg.Proofs.CheckProof(dpop.Request{Proof: proof, Method: r.Method, URLs: g.cfg.RequestURLs(r), AccessToken: token})
	if err == nil && p != nil {
		p.proved = proved{what, key}
	}
	return key, err
}
