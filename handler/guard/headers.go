package guard

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// TakeOut takes out of a request what only this guard may tell the upstream: the
// headers that it sets, in every spelling. What an earlier guard of the same
// request has taken out stays as that one left it: it may have set it. Check
// does this; requests that are not for this guard to check need it as well, where
// they reach an upstream that believes those headers.
func (g *Guard) TakeOut(r *http.Request) {
	if !g.headers.None() {
		g.takers(r).TakeOut(r, &g.headers.Names)
	}
}

// takers returns what the guards of a request have taken out of it, nil where there is one
// guard at most.
func (g *Guard) takers(r *http.Request) *identity.Takers {
	if p := g.passage(r); p != nil {
		return &p.taken
	}
	return nil
}

// cleanRequest deletes what the client must not tell the upstream: the headers
// that we set, and our own cookies. It runs before the token is read, so that no
// way past the guard keeps them.
func (g *Guard) cleanRequest(r *http.Request) {
	g.TakeOut(r)
	wire.StripCookies(r.Header)
}

// setHeaders writes the mapped claims, or none of them.
func (g *Guard) setHeaders(r *http.Request, c *verify.Claims) error {
	if !g.headers.None() {
		g.takers(r).Replace(r, &g.headers.Names, &g.headers.Names)
	}
	return g.headers.Set(r.Header, c)
}
