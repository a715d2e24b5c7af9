package tokens

import (
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// ClaimFamily is the private claim of our access tokens that names their family.
const ClaimFamily = "gh_fam"

// maxAudiences is how many audiences a token may have.
const maxAudiences = 100

// Claims are what a verified token says. Immutable and safe for concurrent use.
type Claims struct {
	Issuer       string
	Subject      string
	Audience     []string
	ClientID     string
	Scope        []string
	ID           string  // jti
	TokenID      TokenID // of ID, where HasTokenID
	HasTokenID   bool
	Expiry       time.Time
	IssuedAt     time.Time // zero when absent, as the next two
	NotBefore    time.Time
	AuthTime     time.Time
	ACR          string
	SessionID    string    // sid
	Session      SessionID // of SessionID, where HasSession
	HasSession   bool
	Nonce        string
	Family       FamilyID // of gh_fam, where HasFamily
	HasFamily    bool
	User         UserTag   // TagSubject(Subject)
	Client       ClientTag // TagClient(ClientID)
	Confirmation string    // cnf.jkt: the thumbprint of the DPoP key that the token is bound to

	raw     []byte
	key     *jose.PublicKey // that verified the token
	profile string          // how they were read, where another issuer made the token

	once    sync.Once // all is read at the first Lookup: most routes need none
	members map[string]any
}

// ParseClaims reads the payload of an access token that this gateway has just
// signed with key, for the verified cache. It keeps the payload.
func ParseClaims(payload []byte, key *jose.PublicKey) (*Claims, error) {
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	c.key = key
	return c, c.requireAccessToken()
}

// Foreign reports whether another issuer made the token.
func (c *Claims) Foreign() bool { return c.profile != "" }

// Identity names the subject among those of all issuers: for a token of this
// gateway it is its sub, for another issuer's `<iss>|<sub>`. Two issuers may
// use the same sub for two people. See OpenID Connect Core §5.7.
func (c *Claims) Identity() string {
	if c.Foreign() {
		return qualified(c.Issuer, c.Subject)
	}
	return c.Subject
}

// parseClaims reads a payload. The names are exact and the types those of
// their specifications: a claim that is there and cannot be understood is an
// error, never absent.
func parseClaims(payload []byte) (*Claims, error) {
	r, err := readJSON(payload)
	if err != nil {
		return nil, errMalformed
	}
	defer r.close()
	c := &Claims{raw: payload}
	for {
		name, err := r.next()
		if err != nil {
			return nil, errMalformed
		}
		if name == nil {
			break
		}
		if err := c.read(string(name), r); err != nil {
			return nil, errClaim
		}
	}
	if r.end() != nil {
		return nil, errMalformed
	}
	c.User, c.Client = TagSubject(c.Subject), TagClient(c.ClientID)
	return c, nil
}

// read reads the value of one claim. See RFC 7519 §4.1, RFC 9068 §2.2, OpenID
// Connect Core §2.
func (c *Claims) read(name string, r *jsonReader) (err error) {
	switch name {
	case "iss":
		c.Issuer, err = r.string()
	case "sub":
		c.Subject, err = r.string()
	case "aud":
		c.Audience, err = r.stringList(maxAudiences)
	case "client_id":
		c.ClientID, err = r.string()
	case "scope":
		var scope string
		scope, err = r.string()
		c.Scope = strings.FieldsFunc(scope, isSpace) // RFC 6749 §3.3: spaces only
	case "jti":
		c.ID, err = r.string()
		c.TokenID, c.HasTokenID = ParseTokenID(c.ID)
	case "exp":
		c.Expiry, err = r.numericDate()
	case "iat":
		c.IssuedAt, err = r.numericDate()
	case "nbf":
		c.NotBefore, err = r.numericDate()
	case "cnf":
		c.Confirmation, err = readConfirmation(r)
	default:
		err = c.readLogin(name, r)
	}
	return err
}

// readLogin reads the value of a claim about the login behind the token.
func (c *Claims) readLogin(name string, r *jsonReader) (err error) {
	switch name {
	case "auth_time":
		c.AuthTime, err = r.numericDate()
	case "acr":
		c.ACR, err = r.string()
	case "sid":
		c.SessionID, err = r.string()
		c.Session, c.HasSession = ParseSessionID(c.SessionID)
	case "nonce":
		c.Nonce, err = r.string()
	case ClaimFamily:
		var family string
		family, err = r.string()
		c.Family, c.HasFamily = ParseFamilyID(family)
	default:
		err = r.skip()
	}
	return err
}

func isSpace(c rune) bool { return c == ' ' }

// readConfirmation reads cnf (RFC 7800 §3.1, RFC 9449 §6.1). A token that is
// bound to a key in a way we cannot check must not pass as one that is not bound.
func readConfirmation(r *jsonReader) (jkt string, err error) {
	if err := r.open('{'); err != nil {
		return "", err
	}
	for {
		name, err := r.next()
		switch {
		case err != nil:
			return "", err
		case name == nil && jkt == "":
			return "", errJSON
		case name == nil:
			return jkt, nil
		case string(name) == "jkt":
			jkt, err = r.string()
		default:
			err = r.skip()
		}
		if err != nil {
			return "", err
		}
	}
}

// requireAccessToken wants the claims that an access token must have. See RFC 9068 §2.2.
func (c *Claims) requireAccessToken() error {
	if c.ClientID == "" || c.ID == "" {
		return errClaim
	}
	return c.requireIDToken()
}

// requireIDToken wants the claims that an ID token must have. See OpenID Connect Core §2.
func (c *Claims) requireIDToken() error {
	if c.Issuer == "" || c.Subject == "" || len(c.Audience) == 0 || c.Expiry.IsZero() || c.IssuedAt.IsZero() {
		return errClaim
	}
	return nil
}

// Lookup returns any claim: a string, bool, json.Number, []any,
// map[string]any or nil. A dot steps into an object; a member whose own name
// has dots ("https://example.com/roles") is found first. The value must not be changed.
func (c *Claims) Lookup(path string) (any, bool) {
	c.once.Do(func() {
		r, err := readJSON(c.raw)
		if err != nil {
			return
		}
		defer r.close()
		c.members, _ = r.object() // was read before, without an error
	})
	return lookup(c.members, path)
}

func lookup(object map[string]any, path string) (any, bool) {
	if v, ok := object[path]; ok {
		return v, true
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := object[path[:i]].(map[string]any); ok {
			if v, ok := lookup(inner, path[i+1:]); ok {
				return v, true
			}
		}
	}
	return nil, false
}

// Size is about how many bytes the claims hold in memory, read for Lookup or not.
func (c *Claims) Size() int64 { return 1024 + 4*int64(len(c.raw)) }
