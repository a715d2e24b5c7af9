package site

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// tokenSlack is how long before its end an access token for an upstream is replaced.
const tokenSlack = 30 * time.Second

// token is an access token that was minted for an upstream.
type token struct {
	text    string
	of      *sites.Session // from which it was minted: what is known newly may be less
	expires time.Time
}

// addToken gives the upstream its access token: one for a session and what is known of it,
// minted when the first request needs it.
func (g *Guard) addToken(r *http.Request, h *held, session *sites.Session, s *Site) error {
	u := g.cfg.Upstream
	if u == nil {
		return nil
	}
	h.mu.Lock()
	t, ok := h.tokens[u]
	h.mu.Unlock()
	if !ok || t.of != session || s.cfg.Issuer.Now().Add(tokenSlack).After(t.expires) {
		text, expires, err := session.Token(r.Context(), u.API, u.Scopes)
		if err != nil {
			return err
		}
		t = token{text, session, expires}
		h.mu.Lock()
		if h.tokens == nil {
			h.tokens = make(map[*UpstreamToken]token)
		}
		h.tokens[u] = t
		h.mu.Unlock()
	}
	if u.Header == "" {
		r.Header["Authorization"] = []string{"Bearer " + t.text}
		return nil
	}
	r.Header.Set(u.Header, t.text)
	return nil
}
