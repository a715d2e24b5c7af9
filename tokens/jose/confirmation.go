package jose

import (
	"encoding/json"
	"errors"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Thumbprint is the SHA-256 of a public key (RFC 7638) or of a certificate
// (RFC 8705 §3.1). The zero value is none.
type Thumbprint [32]byte

// IsZero reports whether there is none.
func (t Thumbprint) IsZero() bool { return t == Thumbprint{} }

// String returns the base64url form that tokens and parameters have.
func (t Thumbprint) String() string { return storage.Encode(t[:]) }

// ParseThumbprint reads the base64url form, in its one canonical spelling.
func ParseThumbprint(text string) (Thumbprint, bool) {
	b, ok := storage.Decode(text, len(Thumbprint{}))
	if !ok {
		return Thumbprint{}, false
	}
	t := Thumbprint(b)
	return t, !t.IsZero()
}

// Confirmation is who may use a token: the holder of these keys, all of those
// that are not zero. The zero value is a bearer token, which anybody may use.
// It is also what a request has proved to hold. See RFC 7800 §3.1.
type Confirmation struct {
	Key         Thumbprint // jkt, of a DPoP key (RFC 9449 §6.1)
	Certificate Thumbprint // x5t#S256, of a TLS client certificate (RFC 8705 §3.1)
}

// confirmationClaim is a Confirmation in JSON.
type confirmationClaim struct {
	Key         string `json:"jkt,omitempty"`
	Certificate string `json:"x5t#S256,omitempty"`
}

// MarshalJSON writes the value of cnf.
func (c Confirmation) MarshalJSON() ([]byte, error) {
	var claim confirmationClaim
	if !c.Key.IsZero() {
		claim.Key = c.Key.String()
	}
	if !c.Certificate.IsZero() {
		claim.Certificate = c.Certificate.String()
	}
	return json.Marshal(claim)
}

// Bound reports whether there is anything to prove.
func (c Confirmation) Bound() bool { return c != Confirmation{} }

// Claim returns what a token of this binding says, nil for a bearer token.
func (c Confirmation) Claim() *Confirmation {
	if !c.Bound() {
		return nil
	}
	return &c
}

// TokenType returns how the token is presented. A certificate is presented
// below HTTP, so its token stays a Bearer token there. See RFC 9449 §5 and RFC 8705 §3.
func (c Confirmation) TokenType() string {
	if c.Key.IsZero() {
		return "Bearer"
	}
	return "DPoP"
}

// Set reads one member of cnf. A token that is bound in a way that we cannot
// check must not pass as one that is bound less, or not at all: any other
// member refuses it.
func (c *Confirmation) Set(name, value string) error {
	print, ok := ParseThumbprint(value)
	if !ok {
		return errConfirmation
	}
	switch name {
	case "jkt":
		c.Key = print
	case "x5t#S256":
		c.Certificate = print
	default:
		return errConfirmation
	}
	return nil
}

var errConfirmation = errors.New("reading cnf: a kind that cannot be checked")

// ReadConfirmation reads cnf. See RFC 7800 §3.1, RFC 9449 §6.1, RFC 8705 §3.1.
func ReadConfirmation(r *JSONReader) (*Confirmation, error) {
	if err := r.open('{'); err != nil {
		return nil, err
	}
	c := new(Confirmation)
	for {
		member, err := r.Next()
		if err != nil {
			return nil, err
		}
		if member == nil {
			break
		}
		name := string(member)
		value, err := r.String()
		if err != nil {
			return nil, err
		}
		if err := c.Set(name, value); err != nil {
			return nil, err
		}
	}
	if !c.Bound() {
		return nil, errConfirmation
	}
	return c, nil
}
