package handler

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// tokenSource says where a request carried its token.
type tokenSource struct {
	cookie string // the name of the cookie; "" for the Authorization header
}

// readToken finds the access token: in the Authorization header, else in the
// cookie where one is configured. Never in the URL, where logs and histories
// keep it, nor in the body. See RFC 6750 §2 and RFC 9700 §4.3.2.
func (g *Guard) readToken(r *http.Request) (string, tokenSource, error) {
	token, err := bearerToken(r)
	if err == nil || g.cfg.Cookie == "" || len(r.Header["Authorization"]) > 0 {
		return token, tokenSource{}, err
	}
	if value := cookie(r, g.cfg.Cookie); value != "" && !g.forged(r) {
		return value, tokenSource{cookie: g.cfg.Cookie}, nil
	}
	return "", tokenSource{}, errNoToken
}

var (
	errTwoTokens = malformed("The access token must be given once, in the Authorization header.")
	errNotBearer = malformed("The Authorization header is malformed.")
)

// bearerToken reads the Authorization header. A scheme of another kind is no
// token; a header that could be read in two ways is refused.
// See RFC 6750 §2.1, RFC 9110 §11.4.
func bearerToken(r *http.Request) (string, error) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return "", errNoToken
	}
	if len(lines) > 1 {
		return "", errTwoTokens
	}
	const scheme = "Bearer"
	line := lines[0]
	if len(line) < len(scheme) || !strings.EqualFold(line[:len(scheme)], scheme) {
		return "", errNoToken
	}
	if len(line) == len(scheme) {
		return "", errNotBearer
	}
	if line[len(scheme)] != ' ' {
		return "", errNoToken // a scheme whose name begins like ours
	}
	token := strings.Trim(line[len(scheme):], " ")
	switch {
	case token == "":
		return "", errNotBearer
	case token[0] != '{' && strings.IndexByte(token, ',') >= 0:
		return "", errTwoTokens // joined by a proxy
	case strings.IndexByte(token, ' ') >= 0 && strings.IndexByte(token, '.') < 0:
		return "", errNotBearer
	case queryToken(r.URL.RawQuery):
		return "", errTwoTokens
	}
	return token, nil
}

// queryToken reports whether a query has an access_token.
func queryToken(rawQuery string) bool {
	if !strings.Contains(rawQuery, "access_token") {
		return false
	}
	q, err := url.ParseQuery(rawQuery)
	return err != nil || q.Has("access_token")
}

// forged reports whether another site may have made the browser send this
// request with its cookies: one that changes something or opens a WebSocket,
// without a sign that it comes from this origin or an allowed one. The token
// of a cookie counts for nothing then. Programs, which send neither sign, use
// the Authorization header.
func (g *Guard) forged(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		// A page of any origin may open a WebSocket, cookies included (RFC 6455 §10.2).
		if r.Header.Get("Upgrade") == "" {
			return false
		}
	}
	origin, one := originOf(r)
	if one && (g.cfg.CORS && g.cfg.Origins(origin) || tokens.OriginOf(origin) == sameHost(r)) {
		return false
	}
	return r.Header.Get("Sec-Fetch-Site") != "same-origin"
}

// sameHost returns the origin that the request itself was sent to.
func sameHost(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return tokens.OriginOf(scheme + "://" + r.Host)
}

// stripToken takes the token out of a request that has passed.
func stripToken(r *http.Request, source tokenSource) {
	if source.cookie == "" {
		r.Header.Del("Authorization")
	} else {
		dropCookies(r.Header, func(name string) bool { return name == source.cookie })
	}
	if strings.Contains(r.URL.RawQuery, "access_token") {
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
