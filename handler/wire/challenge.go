package wire

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// ChallengeHeader is the header of a challenge, WWW-Authenticate, in Go's spelling.
const ChallengeHeader = "Www-Authenticate"

// AddChallenges puts challenges beside those of others who would let the
// request pass. See RFC 9110 §11.6.1.
func AddChallenges(h http.Header, lines ...string) {
	h[ChallengeHeader] = append(h[ChallengeHeader], lines...)
}

// ErrorParameters returns the parameters of a Bearer challenge that say what is
// wrong. See RFC 6750 §3.
func ErrorParameters(e *oauth.Error) string {
	s := `, error="` + string(e.Code) + `"`
	if d := Quotable(e.Description); d != "" {
		s += `, error_description="` + d + `"`
	}
	if e.Scope != "" {
		s += `, scope="` + Quotable(e.Scope) + `"`
	}
	return s
}

// proofAlgs is the parameter of a DPoP challenge that says what proofs may be
// signed with. See RFC 9449 §7.1.
var proofAlgs = `algs="` + strings.Join(dpop.Algorithms(), " ") + `"`

// DPoPChallenge is a DPoP challenge with the parameters that say what is wrong, if
// anything is: the error, the algorithms, and then the rest.
func DPoPChallenge(parameters string) string {
	code, rest, more := strings.Cut(strings.TrimPrefix(parameters, ", "), ", ")
	if code == "" {
		return "DPoP " + proofAlgs
	}
	if more {
		rest = ", " + rest
	}
	return "DPoP " + code + ", " + proofAlgs + rest
}

// Quotable drops what would end or escape a quoted-string, and what an
// error_description must not hold. See RFC 9110 §5.6.4, RFC 6749 §5.2.
func Quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}
