package adminapi

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
)

// OtherIssuer is another issuer whose tokens guards take.
type OtherIssuer struct {
	Issuer   string `json:"issuer"`
	Keys     string `json:"keys"`                // where they are fetched from
	LastSeen string `json:"last_seen,omitempty"` // RFC 3339; absent until the first fetch
}

// issuerList answers GET /oauth/issuers and POST /oauth/issuers/purge.
type issuerList struct {
	Issuers []OtherIssuer `json:"issuers"`
}

func (a *API) listIssuers(*call) (any, error) {
	return issuerList{a.Others.List()}, nil
}

// purgeIssuer forgets the keys of an issuer that has lost one, on this node.
func (a *API) purgeIssuer(c *call) (any, error) {
	c.event.Issuer = c.get("issuer")
	if c.event.Issuer == "" {
		return nil, badRequest("issuer: missing; it is the `iss` of its tokens, as configured at bearer_auth")
	}
	if !a.Others.Purge(c.event.Issuer) {
		return nil, refusal(http.StatusNotFound, errNoSuchIssuer)
	}
	return issuerList{a.Others.List()}, nil
}

var errNoSuchIssuer = errors.New("no bearer_auth accepts tokens of this issuer; `caddy oauth issuers list` shows those that are known")

func showIssuers(p *Printer, _ url.Values, l issuerList) {
	if len(l.Issuers) == 0 {
		p.Printf("no bearer_auth accepts tokens of other issuers\n")
		return
	}
	rows := [][]string{{"ISSUER", "KEYS", "LAST SEEN"}}
	for _, i := range l.Issuers {
		rows = append(rows, []string{i.Issuer, i.Keys, cmp.Or(i.LastSeen, "never")})
	}
	p.Table(rows)
}

func showPurged(p *Printer, asked url.Values, _ issuerList) {
	p.Printf("forgot the keys of %s; its tokens pass again once its new keys have been fetched\n", asked.Get("issuer"))
}
