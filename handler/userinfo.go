package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// userinfo takes any access token of ours with scope openid, whatever its
// audience, in the Authorization header only. See OpenID Connect Core §5.3.
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) error {
	token, byDPoP, err := wire.PresentedToken(r)
	if err != nil {
		return err
	}
	claims, err := s.Issuer.CheckAccess(r.Context(), token)
	if err != nil {
		return err
	}
	if client, ok := s.Issuer.Client(claims.ClientID); ok {
		s.narrowOrigin(w, r, client)
	}
	err = wire.CheckSender(r, claims.Confirmation, byDPoP, func() (jose.Thumbprint, error) {
		wire.OfferNonce(w, s.Issuer.Proofs())
		proof, err := wire.RequireProof(r)
		if err != nil {
			return jose.Thumbprint{}, err
		}
		return s.Issuer.Proofs().CheckProof(dpop.Request{Proof: proof, Method: r.Method, URLs: s.urlsOf("userinfo", r), AccessToken: token})
	})
	if err != nil {
		return err
	}
	info, err := s.Issuer.UserInfo(r.Context(), claims)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, info)
	return nil
}
