package tokens

import (
	"encoding/base64"
	"strings"
)

// compact is a compact JWS whose form has been checked, and nothing else.
type compact struct {
	header    joseHeader
	payload   []byte
	signed    string // what the signature is over
	signature []byte
}

// joseHeader are the members of a header that mean something to us.
type joseHeader struct {
	alg, kid, typ string
}

// errMalformed refuses what has not the form of a token. It is shared, and not to be changed.
var errMalformed = badToken(ReasonMalformed)

// strict refuses non-zero trailing bits, so that a token has one spelling.
var strict = base64.RawURLEncoding.Strict()

// parseCompact reads the form of a token before any library sees it: three
// parts of base64url and a strict header. A JWE, a JSON serialization, an
// unsigned token or a token that asks for critical extensions or brings its
// own key ends here. See RFC 7515 §7.1 and RFC 8725 §3.
func parseCompact(token string) (compact, error) {
	header, c, err := splitCompact(token)
	if err != nil {
		return c, err
	}
	if c.header, err = parseHeader(header); err != nil {
		return c, errMalformed
	}
	return c, nil
}

// splitCompact reads all of a token but its header, which it decodes.
func splitCompact(token string) (rawHeader []byte, c compact, err error) {
	first, second, ok := cutToken(token)
	if !ok {
		return nil, c, errMalformed
	}
	header, payload, signature := token[:first], token[first+1:second], token[second+1:]
	// One buffer for what is soon forgotten; the payload stays with the claims.
	buffer := make([]byte, 0, strict.DecodedLen(len(header))+strict.DecodedLen(len(signature)))
	if buffer, err = strict.AppendDecode(buffer, []byte(header)); err != nil {
		return nil, c, errMalformed
	}
	n := len(buffer)
	if buffer, err = strict.AppendDecode(buffer, []byte(signature)); err != nil {
		return nil, c, errMalformed
	}
	if c.payload, err = strict.DecodeString(payload); err != nil {
		return nil, c, errMalformed
	}
	c.signed, c.signature = token[:second], buffer[n:]
	return buffer[:n], c, nil
}

// cutToken finds the two dots of a token and refuses anything else than three
// parts of base64url characters, which Go's decoder alone does not: it skips line ends.
func cutToken(token string) (first, second int, ok bool) {
	if len(token) > MaxTokenBytes {
		return 0, 0, false
	}
	dots := 0
	for i := range len(token) {
		switch c := token[i]; {
		case base64URL[c]:
		case c == '.' && dots == 0:
			first, dots = i, 1
		case c == '.' && dots == 1:
			second, dots = i, 2
		default:
			return 0, 0, false
		}
	}
	ok = dots == 2 && first > 0 && second > first+1 && second < len(token)-1
	return first, second, ok
}

var base64URL = func() (set [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		set[c] = true
	}
	return set
}()

// parseHeader reads a JOSE header. Unknown members are ignored (RFC 7515 §4);
// those that change what is signed, or that bring or name a key, are refused
// (RFC 8725 §3.10): our keys come from the key ring, by kid, alone.
func parseHeader(object []byte) (joseHeader, error) {
	var h joseHeader
	r, err := readJSON(object)
	if err != nil {
		return h, err
	}
	defer r.close()
	for {
		name, err := r.next()
		if err != nil {
			return h, err
		}
		if name == nil {
			break
		}
		switch string(name) {
		case "alg":
			h.alg, err = r.string()
		case "kid":
			h.kid, err = r.string()
		case "typ":
			h.typ, err = r.string()
		case "crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "p2c", "p2s":
			err = errJSON
		default:
			err = r.skip()
		}
		if err != nil {
			return h, err
		}
	}
	if h.alg == "" {
		return h, errJSON
	}
	return h, r.end()
}

// typeIs compares a typ without regard to case and to the prefix that it may
// leave out. See RFC 7515 §4.1.9.
func (h joseHeader) typeIs(want string) bool {
	typ := h.typ
	if prefix := "application/"; len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, want)
}
