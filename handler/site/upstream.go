package site

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
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

// UpstreamToken says which access token goes upstream, and where.
type UpstreamToken struct {
	API    string // its identifier
	Scopes []string
	Header string // "" is Authorization, as a bearer token; another one holds the token alone
}

var authorization = identity.NamesOf("Authorization")

// put gives an upstream its token, in the place of what came from the client: also of the word of
// its Connection header, by which a proxy would take the token out. See RFC 9110 §7.6.1.
func (u *UpstreamToken) put(r *http.Request, token string) {
	if u.Header == "" {
		authorization.TakeOut(r)
		r.Header["Authorization"] = []string{"Bearer " + token}
		return
	}
	r.Header.Set(u.Header, token) // which Guard.TakeOut has taken out
}

// upstreamToken returns the access token of a session for an upstream: one for what is known
// of the session, minted when the first request needs it, while the others wait.
func (h *held) upstreamToken(ctx context.Context, u *UpstreamToken, session *sites.Session, now time.Time) (string, error) {
	if text, ok := h.minted(u, session, now); ok {
		return text, nil
	}
	select {
	case h.minting <- struct{}{}:
		defer func() { <-h.minting }()
	case <-ctx.Done():
		return "", oauth.Unavailable(ctx.Err())
	}
	if text, ok := h.minted(u, session, now); ok {
		return text, nil
	}
	text, expires, err := session.Token(ctx, u.API, u.Scopes)
	if err != nil {
		return "", err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tokens == nil {
		h.tokens = make(map[*UpstreamToken]token)
	}
	h.tokens[u] = token{text, session, expires}
	return text, nil
}

// minted returns the token that was minted before, if it still serves.
func (h *held) minted(u *UpstreamToken, session *sites.Session, now time.Time) (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ok := h.tokens[u]
	return t.text, ok && t.of == session && !now.Add(tokenSlack).After(t.expires)
}
