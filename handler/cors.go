package handler

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// cors sets the headers by which browsers let other origins read an answer,
// and answers a preflight itself, reporting true.
//
// Until the client is known the registered origins of all clients count: a
// preflight names no client, and an error that a page cannot read looks to it
// like a broken network. narrowOrigin then keeps the client's own.
func (s *Server) cors(w http.ResponseWriter, r *http.Request, e *endpoint) bool {
	h := w.Header()
	origin, one := wire.RequestOrigin(r)
	if e.cors == corsAny {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", wire.ExposeHeaders)
	} else {
		h.Add("Vary", "Origin")
		switch {
		case one && s.origins[origin]:
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", wire.ExposeHeaders)
			if e.cors == corsCredentials || e.cors == corsCookie && s.cookieOrigins[origin] {
				h.Set(wire.AllowCredentials, "true")
			}
		case one && s.Issuer.Unregistered() && e.forAnybody():
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Expose-Headers", wire.ExposeHeaders)
		}
	}
	if !wire.IsPreflight(r) {
		return false
	}
	if h.Get("Access-Control-Allow-Origin") == "" {
		s.originRefused(r, nil)
	}
	wire.WritePreflight(h, r, strings.Join(e.methods, ", "))
	w.WriteHeader(http.StatusNoContent)
	return true
}

// forAnybody reports whether a client that nobody registered calls the endpoint.
func (e *endpoint) forAnybody() bool {
	return e.name == "token" || e.name == "revoke"
}

// narrowOrigin takes the permission back where the origin is another client's.
func (s *Server) narrowOrigin(w http.ResponseWriter, r *http.Request, c *clients.Client) {
	h := w.Header()
	if origin := r.Header.Get("Origin"); origin != "" && !c.HasOrigin(origin) {
		s.originRefused(r, c)
	}
	if origin := h.Get("Access-Control-Allow-Origin"); origin != "" && !c.HasOrigin(origin) {
		h.Del("Access-Control-Allow-Origin")
		h.Del("Access-Control-Expose-Headers")
		h.Del(wire.AllowCredentials)
	}
}
