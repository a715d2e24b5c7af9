package handler

import "net/http"

// jwks serves the public signing keys. See RFC 7517 §5.
func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) error {
	writePublic(w, s.JWKS())
	return nil
}
