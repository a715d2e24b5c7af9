package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// jwks serves the public signing keys. See RFC 7517 §5.
func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) error {
	wire.WritePublic(w, s.JWKS())
	return nil
}
