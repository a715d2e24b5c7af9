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
	token, dpop, err := presentedToken(r)
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
	if err := s.checkSender(w, r, token, dpop, claims); err != nil {
		return err
	}
	info, err := s.Issuer.UserInfo(r.Context(), claims)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, info)
	return nil
}

// checkSender makes sure that a token comes from whom it is bound to.
// See RFC 9449 §7 and RFC 8705 §3.
func (s *Server) checkSender(w http.ResponseWriter, r *http.Request, token string, dpop bool, c *tokens.Claims) error {
	if c.Confirmation == nil {
		if dpop {
			return errUnbound
		}
		return nil
	}
	g := Guard{cfg: GuardConfig{Proofs: s.Issuer.Proofs(), RequestURLs: func(r *http.Request) []string { return s.urlsOf("userinfo", r) }}}
	return g.checkSender(w, r, token, tokenSource{dpop: dpop}, c)
}
