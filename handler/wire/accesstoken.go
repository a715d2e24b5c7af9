package wire

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// ErrNoToken is a request that carries no access token at all.
var ErrNoToken = errors.New("reading access token: there is none")

// The refusals of Authorization headers. They are shared: nothing changes them.
var (
	ErrTwoTokens = Malformed("The access token must be given once, in the Authorization header.")
	errNotBearer = Malformed("The Authorization header is malformed.")
)

// PresentedToken reads the Authorization header, and whether its scheme is DPoP
// and not Bearer. Any other scheme is no token; a header that could be read in
// two ways is refused. See RFC 6750 §2.1, RFC 9449 §7.1, RFC 9110 §11.4.
func PresentedToken(r *http.Request) (token string, dpop bool, err error) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return "", false, ErrNoToken
	}
	if len(lines) > 1 {
		return "", false, ErrTwoTokens
	}
	ours, dpop, rest := Scheme(lines[0])
	if !ours {
		return "", false, ErrNoToken
	}
	token = strings.Trim(rest, " ")
	switch {
	case token == "" || rest[0] != ' ' || lines[0][0] <= ' ':
		return "", dpop, errNotBearer
	case token[0] != '{' && strings.IndexByte(token, ',') >= 0:
		return "", dpop, ErrTwoTokens // joined by a proxy
	case strings.IndexByte(token, ' ') >= 0 && strings.IndexByte(token, '.') < 0:
		return "", dpop, errNotBearer
	case QueryToken(r.URL.RawQuery):
		return "", dpop, ErrTwoTokens
	}
	return token, dpop, nil
}

// Scheme reports whether an Authorization header begins with one of our
// schemes, also where it goes on as no scheme does, such as with a tab: the
// upstream may be less strict. What follows the name is rest. See RFC 9110 §11.1.
func Scheme(line string) (ours, dpop bool, rest string) {
	line = strings.TrimLeft(line, " \t")
	end := strings.IndexFunc(line, func(c rune) bool { return !httpguts.IsTokenRune(c) })
	if end < 0 {
		end = len(line)
	}
	dpop = strings.EqualFold(line[:end], "DPoP")
	return dpop || strings.EqualFold(line[:end], "Bearer"), dpop, line[end:]
}

// QueryToken reports whether a query has an access_token.
func QueryToken(rawQuery string) bool {
	if !strings.Contains(rawQuery, "access_token") {
		return false
	}
	q, err := url.ParseQuery(rawQuery)
	return err != nil || q.Has("access_token")
}
