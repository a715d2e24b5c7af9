package handler

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// errNoToken is a request that carries no access token at all.
var errNoToken = errors.New("reading access token: there is none")

// userinfo takes any access token of ours with scope openid, whatever its
// audience, in the Authorization header only. See OpenID Connect Core §5.3.
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) error {
	token, err := bearerToken(r)
	if err != nil {
		return err
	}
	claims, err := s.Issuer.CheckAccess(r.Context(), token)
	if err != nil {
		return err
	}
	if client, ok := s.Issuer.Client(claims.ClientID); ok {
		narrowOrigin(w, client)
	}
	if claims.Confirmation != "" {
		return &tokens.Error{Code: tokens.InvalidToken, Reason: tokens.ReasonWrongType, Description: "The access token is bound to a key and cannot be used as a Bearer token."}
	}
	info, err := s.Issuer.UserInfo(r.Context(), claims)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, info)
	return nil
}
