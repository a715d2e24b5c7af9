package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// token is the token endpoint: who is the client, what does it want, what does
// the core say. See RFC 6749 §3.2.
func (s *Server) token(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r)
	if err != nil {
		return err
	}
	client, err := s.authenticate(w, r, p)
	if err != nil {
		return err
	}
	res, err := s.Issuer.Token(r.Context(), client, tokens.TokenRequest{
		GrantType:    tokens.GrantType(p.get("grant_type")),
		Code:         p.get("code"),
		RedirectURI:  p.get("redirect_uri"),
		CodeVerifier: p.get("code_verifier"),
		RefreshToken: p.get("refresh_token"),
		Scope:        p.get("scope"),
		Audiences:    p.audiences(),
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, res)
	return nil
}
