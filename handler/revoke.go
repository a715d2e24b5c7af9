package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// revoke is the revocation endpoint. A token that is not good any more, or
// never was, is as good as revoked: 200. See RFC 7009 §2.
//
// A page of a client that keeps its refresh token in a cookie cannot name that
// token: it sends the cookie instead, with or without another token.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r)
	if err != nil {
		return err
	}
	client, err := s.authenticate(w, r, p)
	if err != nil {
		return err
	}
	token := p.get("token")
	cookie := s.refreshSent(r, client) != "" && fromOwnPage(r, client)
	if token == "" && !cookie {
		return wire.Malformed("token is missing.")
	}
	if token != "" {
		// token_type_hint is only a hint (§2.1): the token says itself what it is.
		if err := s.Issuer.Revoke(r.Context(), client, token); err != nil {
			return err
		}
	}
	if cookie {
		if err := s.endRefreshOf(w, r, client, nil); err != nil {
			return err
		}
	}
	wire.WriteJSON(w, http.StatusOK, struct{}{})
	return nil
}
