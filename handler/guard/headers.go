package guard

import (
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// TakeOut takes out of a request what only this guard may tell the upstream: the
// headers that it sets, in every spelling. What an earlier guard of the same
// request has taken out stays as that one left it: it may have set it. Check
// does this; requests that are not for this guard to check need it as well, where
// they reach an upstream that believes those headers.
func (g *Guard) TakeOut(r *http.Request) {
	if g.headers.None() {
		return
	}
	p := g.passage(r)
	if p == nil || len(p.taken) == 0 {
		g.headers.TakeOut(r)
	} else {
		if slices.Contains(p.taken, &g.headers) {
			return
		}
		left := g.headers.Names
		for _, earlier := range p.taken {
			left = left.Without(&earlier.Names)
		}
		left.TakeOut(r)
	}
	if p != nil {
		if p.taken == nil {
			p.taken = p.room[:0]
		}
		p.taken = append(p.taken, &g.headers)
	}
}

// replaceOthers takes out what earlier guards have set under the names of this
// one: it has accepted a token, and says what they mean from here on.
func (g *Guard) replaceOthers(r *http.Request) {
	p := g.passage(r)
	if p == nil {
		return
	}
	for _, earlier := range p.taken {
		if earlier != &g.headers && g.headers.Overlaps(&earlier.Names) {
			g.headers.TakeOut(r)
			return
		}
	}
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
		g.replaceOthers(r)
	}
	return g.headers.Set(r.Header, c)
}
