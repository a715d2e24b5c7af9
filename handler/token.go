package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
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
	sender, err := s.sender(w, r, client, "token")
	if err != nil {
		return err
	}
	grant := oauth.GrantType(p.get("grant_type"))
	keeps := client.Refresh.Cookie && grant == oauth.GrantAuthorizationCode
	if keeps && !fromOwnPage(r, client) {
		return s.about(client.ID, errOrigin.With(originMismatch(r, client))) // before the code is spent
	}
	res, err := s.Issuer.Token(r.Context(), client, tokens.TokenRequest{
		GrantType:    grant,
		Code:         p.get("code"),
		RedirectURI:  p.get("redirect_uri"),
		CodeVerifier: p.get("code_verifier"),
		RefreshToken: p.get("refresh_token"),
		DeviceCode:   p.get("device_code"),
		Scope:        p.get("scope"),
		Audiences:    p.audiences(),
		Sender:       sender,
	})
	if err != nil {
		return told{err}
	}
	if keeps {
		s.keepRefresh(w, r, client, res.Cookie)
	}
	wire.WriteJSON(w, http.StatusOK, res)
	return nil
}
