package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// introspect is the introspection endpoint, for confidential clients.
// See RFC 7662 §2.
//
// It counts no tokens against token scanning (§4): a token is 128 bits or more
// under a MAC or a signature, which nobody finds by trying, and one that fails
// there is refused before the store is asked. Who asks is a resource server,
// and the tokens that it asks about are those that anybody sends to it: a limit
// would refuse its good ones too.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r)
	if err != nil {
		return err
	}
	client, err := s.authenticate(w, r, p)
	if err != nil {
		return err
	}
	token := p.get("token")
	if token == "" {
		return wire.Malformed("token is missing.")
	}
	res, err := s.Issuer.Introspect(r.Context(), client, token)
	if err != nil {
		return told{err}
	}
	wire.WriteJSON(w, http.StatusOK, res)
	return nil
}
