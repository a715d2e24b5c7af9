package jose

import (
	"encoding/base64"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Compact is a compact JWS whose form has been checked, and nothing else.
type Compact struct {
	Header    Header
	Payload   []byte
	Signed    string // what the signature is over
	Signature []byte
}

// Header are the members of a header that mean something to us.
type Header struct {
	Alg, Kid, Typ string

	// NamesKey says that the header brings or names a key of its own (jwk, jku, x5u,
	// x5c). It is never used.
	NamesKey bool
}

// ErrMalformed refuses what has not the form of a token. It is shared, and not to be changed.
var ErrMalformed = oauth.BadToken(oauth.ReasonMalformed)

// strict refuses non-zero trailing bits, so that a token has one spelling.
var strict = base64.RawURLEncoding.Strict()

// ParseCompact reads the form of a token before any library sees it: three
// parts of base64url and a strict header. A JWE, a JSON serialization, an
// unsigned token or a token that asks for critical extensions or brings its
// own key ends here. See RFC 7515 §7.1 and RFC 8725 §3.
func ParseCompact(token string) (Compact, error) {
	c, err := ReadCompact(token, oauth.MaxTokenBytes)
	if err == nil && c.Header.NamesKey {
		return c, ErrMalformed
	}
	return c, err
}

// ReadCompact is ParseCompact for a token of maxBytes at most whose issuer may write
// where its keys are into the header, such as `jku`. Nobody looks there: that
// member may be ignored (RFC 7515 §4.1.2), as any that is not understood.
func ReadCompact(token string, maxBytes int) (Compact, error) {
	header, c, err := splitCompact(token, maxBytes)
	if err != nil {
		return c, err
	}
	if c.Header, err = ParseHeader(header); err != nil {
		return c, ErrMalformed
	}
	return c, nil
}

// SplitCompact reads all of a token but its header, which it decodes.
func SplitCompact(token string) (rawHeader []byte, c Compact, err error) {
	return splitCompact(token, oauth.MaxTokenBytes)
}

func splitCompact(token string, maxBytes int) (rawHeader []byte, c Compact, err error) {
	if len(token) > maxBytes {
		return nil, c, ErrMalformed
	}
	first, second, ok := cutToken(token)
	if !ok {
		return nil, c, ErrMalformed
	}
	header, payload, signature := token[:first], token[first+1:second], token[second+1:]
	// One buffer for what is soon forgotten; the payload stays with the claims.
	buffer := make([]byte, 0, strict.DecodedLen(len(header))+strict.DecodedLen(len(signature)))
	if buffer, err = strict.AppendDecode(buffer, []byte(header)); err != nil {
		return nil, c, ErrMalformed
	}
	n := len(buffer)
	if buffer, err = strict.AppendDecode(buffer, []byte(signature)); err != nil {
		return nil, c, ErrMalformed
	}
	if c.Payload, err = strict.DecodeString(payload); err != nil {
		return nil, c, ErrMalformed
	}
	c.Signed, c.Signature = token[:second], buffer[n:]
	return buffer[:n], c, nil
}

// cutToken finds the two dots of a token and refuses anything else than three
// parts of base64url characters, which Go's decoder alone does not: it skips line ends.
func cutToken(token string) (first, second int, ok bool) {
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

// ParseHeader reads a JOSE header. Unknown members are ignored (RFC 7515 §4);
// those that change what is signed are refused, and those that bring or name a
// key are told of, and not used (RFC 8725 §3.10).
func ParseHeader(object []byte) (Header, error) {
	var h Header
	r, err := ReadJSON(object)
	if err != nil {
		return h, err
	}
	defer r.Close()
	for {
		name, err := r.Next()
		if err != nil {
			return h, err
		}
		if name == nil {
			break
		}
		switch string(name) {
		case "alg":
			h.Alg, err = r.String()
		case "kid":
			h.Kid, err = r.String()
		case "typ":
			h.Typ, err = r.String()
		case "crit", "b64", "zip", "enc", "p2c", "p2s": // refusedMembers
			err = ErrJSON
		case "jwk", "jku", "x5u", "x5c":
			h.NamesKey = true
			err = r.Skip()
		default:
			err = r.Skip()
		}
		if err != nil {
			return h, err
		}
	}
	if h.Alg == "" {
		return h, ErrJSON
	}
	return h, r.End()
}

// TypeIs compares a typ without regard to case and to the prefix that it may
// leave out. See RFC 7515 §4.1.9.
func (h Header) TypeIs(want string) bool {
	typ := h.Typ
	if prefix := "application/"; len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, want)
}
