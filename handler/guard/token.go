package guard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// tokenSource says how a request presented its token.
type tokenSource struct {
	dpop    bool   // the scheme of the Authorization header is DPoP
	carrier string // the header that it came in, where that is not Authorization
}

// readToken finds the access token: in the configured header, else in the
// Authorization header, else in the cookie where one is configured. Never in the
// URL, where logs and histories keep it, nor in the body. ErrNoToken means that there
// is none: what is there and cannot be used is another error, which Optional does
// not forgive. See RFC 6750 §2 and RFC 9700 §4.3.2.
func (g *Guard) readToken(r *http.Request) (string, tokenSource, error) {
	if g.cfg.TokenHeader != "" {
		switch lines := r.Header[g.cfg.TokenHeader]; {
		case len(lines) > 1:
			return "", tokenSource{}, errTokenHeader
		case len(lines) == 1 && lines[0] != "":
			return lines[0], tokenSource{carrier: g.cfg.TokenHeader}, nil
		}
	}
	token, dpop, err := wire.PresentedToken(r)
	if g.cfg.Cookie == "" || !errors.Is(err, wire.ErrNoToken) {
		return token, tokenSource{dpop: dpop}, err
	}
	token, err = presentedCookie(r, g.cfg.Cookie)
	switch {
	case err != nil:
		return "", tokenSource{}, err
	case len(r.Header["Authorization"]) > 0: // of another scheme: who is it to be?
		return "", tokenSource{}, wire.ErrTwoTokens
	case g.forged(r):
		return "", tokenSource{}, errForged
	}
	return token, tokenSource{carrier: "Cookie"}, nil
}

var (
	errCookie      = wire.Malformed("The access token cookie must be given once and be well formed.")
	errTokenHeader = wire.Malformed("The header with the access token must be given once.")
	errForged      = &oauth.Error{
		Code: oauth.InvalidToken, Reason: oauth.ReasonBadOrigin,
		Description: "The access token cookie is not accepted in a request that another site may have sent.",
	}
)

// presentedCookie reads the token of a cookie. An empty one is none. One that
// net/http drops, or would choose among, is an error: others may read it.
func presentedCookie(r *http.Request, name string) (string, error) {
	found := 0
	for _, line := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if strings.TrimSpace(key) == name && value != "" {
				found++
			}
		}
	}
	if found == 0 {
		return "", wire.ErrNoToken
	}
	value := wire.Cookie(r, name)
	if found > 1 || value == "" {
		return "", errCookie
	}
	return value, nil
}

// forged reports whether another site may have made the browser send this
// request with its cookies: one that changes something or opens a WebSocket,
// without a sign that it comes from this origin or an allowed one. The token
// of a cookie counts for nothing then. A WebSocket of HTTP/2 is a CONNECT (RFC 8441). Programs, which send neither sign, use
// the Authorization header.
func (g *Guard) forged(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		// A page of any origin may open a WebSocket, cookies included (RFC 6455 §10.2).
		if r.Header.Get("Upgrade") == "" {
			return false
		}
	}
	if origin, one := wire.RequestOrigin(r); one && (g.cfg.CORS && g.cfg.Origins(origin) || sameOrigin(origin, g.cfg.ClientOrigin(r))) {
		return false
	}
	return r.Header.Get("Sec-Fetch-Site") != "same-origin"
}

// stripToken takes every token out of a request that passes, where StripToken
// says so, whichever of them was used: the others were not looked at, and the
// upstream may take them.
func (g *Guard) stripToken(r *http.Request) {
	if !g.cfg.StripToken {
		return
	}
	r.Header["Authorization"] = slices.DeleteFunc(r.Header["Authorization"], func(line string) bool {
		ours, _, _ := wire.Scheme(line)
		return ours
	})
	if len(r.Header["Authorization"]) == 0 {
		delete(r.Header, "Authorization")
	}
	delete(r.Header, wire.ProofHeader)
	if g.cfg.TokenHeader != "" {
		delete(r.Header, g.cfg.TokenHeader)
	}
	if g.cfg.Cookie != "" {
		wire.DropCookies(r.Header, func(name string) bool { return name == g.cfg.Cookie })
	}
	if q := r.URL.RawQuery; strings.Contains(q, "access_token") || strings.Contains(q, "%") {
		r.URL.RawQuery = dropQuery(r.URL.RawQuery, "access_token")
	}
}

// dropQuery takes a parameter out of a query and leaves the rest as it stands.
func dropQuery(rawQuery, name string) string {
	var kept []string
	for part := range strings.SplitSeq(rawQuery, "&") {
		key, _, _ := strings.Cut(part, "=")
		if decoded, err := url.QueryUnescape(key); err == nil && decoded == name {
			continue
		}
		kept = append(kept, part)
	}
	return strings.Join(kept, "&")
}
