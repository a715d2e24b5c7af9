package caddymodule

import (
	"net/http"
)

// issuerInfo is another issuer whose tokens guards take.
type issuerInfo struct {
	Issuer   string `json:"issuer"`
	Keys     string `json:"keys"`                // where they are fetched from
	LastSeen string `json:"last_seen,omitempty"` // RFC 3339; absent until the first fetch
}

// issuerList answers GET /oauth/issuers and POST /oauth/issuers/purge.
type issuerList struct {
	Issuers []issuerInfo `json:"issuers"`
}

func (a *adminAPI) listIssuers(*adminCall) (any, error) {
	return issuerList{a.app.issuerKeys.list()}, nil
}

// purgeIssuer forgets the keys of an issuer that has lost one, on this node.
func (a *adminAPI) purgeIssuer(c *adminCall) (any, error) {
	c.event.Issuer = c.get("issuer")
	if c.event.Issuer == "" {
		return nil, badRequest("issuer: missing; it is the `iss` of its tokens, as configured at bearer_auth")
	}
	if !a.app.issuerKeys.purge(c.event.Issuer) {
		return nil, adminError(http.StatusNotFound, errNoSuchIssuer)
	}
	return issuerList{a.app.issuerKeys.list()}, nil
}
