package handler

import (
	"errors"
	"mime"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// userinfo takes any access token of ours with scope openid, whatever its
// audience, in the Authorization header or in a form. See OpenID Connect Core §5.3.
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) error {
	token, byDPoP, err := userinfoToken(r)
	if err != nil {
		return err
	}
	claims, err := s.Issuer.CheckAccess(r.Context(), token)
	if err != nil {
		return err
	}
	if client, ok := s.Issuer.Configured(claims.ClientID); ok {
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

var errTwoTokens = wire.Malformed("The access token must be given once, in the Authorization header or in the body.")

// userinfoToken reads the access token from the Authorization header or from the
// form that is posted, never from both. See RFC 6750 §2.
func userinfoToken(r *http.Request) (token string, byDPoP bool, err error) {
	token, byDPoP, err = wire.PresentedToken(r)
	if r.Method != http.MethodPost || err != nil && !errors.Is(err, wire.ErrNoToken) {
		return token, byDPoP, err
	}
	if kind, _, bad := mime.ParseMediaType(r.Header.Get("Content-Type")); bad != nil || kind != formType {
		return token, byDPoP, err
	}
	form, bad := readAnyForm(r)
	if bad != nil {
		return "", false, bad
	}
	switch inBody := form["access_token"]; {
	case len(inBody) == 0:
		return token, byDPoP, err
	case err == nil || len(inBody) > 1 || wire.QueryToken(r.URL.RawQuery):
		return "", false, errTwoTokens
	default:
		return inBody[0], false, nil
	}
}
