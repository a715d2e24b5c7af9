package handler

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// errNoToken is a request that carries no access token at all.
var errNoToken = errors.New("reading access token: there is none")

// The refusals of Authorization headers. They are shared: nothing changes them.
var (
	errTwoTokens = malformed("The access token must be given once, in the Authorization header.")
	errNotBearer = malformed("The Authorization header is malformed.")
)

// presentedToken reads the Authorization header, and whether its scheme is DPoP
// and not Bearer. Any other scheme is no token; a header that could be read in
// two ways is refused. See RFC 6750 §2.1, RFC 9449 §7.1, RFC 9110 §11.4.
func presentedToken(r *http.Request) (token string, dpop bool, err error) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return "", false, errNoToken
	}
	if len(lines) > 1 {
		return "", false, errTwoTokens
	}
	ours, dpop, rest := ourScheme(lines[0])
	if !ours {
		return "", false, errNoToken
	}
	token = strings.Trim(rest, " ")
	switch {
	case token == "" || rest[0] != ' ' || lines[0][0] <= ' ':
		return "", dpop, errNotBearer
	case token[0] != '{' && strings.IndexByte(token, ',') >= 0:
		return "", dpop, errTwoTokens // joined by a proxy
	case strings.IndexByte(token, ' ') >= 0 && strings.IndexByte(token, '.') < 0:
		return "", dpop, errNotBearer
	case queryToken(r.URL.RawQuery):
		return "", dpop, errTwoTokens
	}
	return token, dpop, nil
}

// ourScheme reports whether an Authorization header begins with one of our
// schemes, also where it goes on as no scheme does, such as with a tab: the
// upstream may be less strict. What follows the name is rest. See RFC 9110 §11.1.
func ourScheme(line string) (ours, dpop bool, rest string) {
	line = strings.TrimLeft(line, " \t")
	end := strings.IndexFunc(line, func(c rune) bool { return !httpguts.IsTokenRune(c) })
	if end < 0 {
		end = len(line)
	}
	dpop = strings.EqualFold(line[:end], "DPoP")
	return dpop || strings.EqualFold(line[:end], "Bearer"), dpop, line[end:]
}

// queryToken reports whether a query has an access_token.
func queryToken(rawQuery string) bool {
	if !strings.Contains(rawQuery, "access_token") {
		return false
	}
	q, err := url.ParseQuery(rawQuery)
	return err != nil || q.Has("access_token")
}
