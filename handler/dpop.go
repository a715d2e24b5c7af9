package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// sender returns what a client has proved to hold: the key of a DPoP proof, the
// certificate of its connection. A proof that is there must be good.
func (s *Server) sender(w http.ResponseWriter, r *http.Request, client *clients.Client, endpoint string) (jose.Confirmation, error) {
	wire.OfferNonce(w, s.Issuer.Proofs())
	sender := jose.Confirmation{Certificate: wire.CertificateThumbprint(r)}
	proof, err := wire.ReadProof(r)
	if err == nil && proof != "" {
		sender.Key, err = s.Issuer.Proofs().CheckProof(dpop.Request{Proof: proof, Method: r.Method, URLs: s.urlsOf(endpoint, r)})
	}
	if err == nil {
		return sender, nil
	}
	if e := oauth.AsError(err); e.Code != oauth.UseDPoPNonce { // which is how a nonce is asked for, and no fault
		s.Observer.Happened(r.Context(), oauth.Event{Kind: oauth.EventTokenRefused, Outcome: oauth.Outcome(e.Reason), Client: client.ID, Cause: e.Cause})
	}
	return sender, told{err}
}

// urlsOf returns what a request to an endpoint was sent to. The origin is that
// of the issuer and nothing that the request says; the path is the endpoint's, or
// the spelling or alias of it that the request has.
func (s *Server) urlsOf(endpoint string, r *http.Request) []string {
	return []string{s.urlOf(endpoint), s.issuerOrigin + r.URL.EscapedPath()}
}
