package verify

import (
	"crypto/sha256"
	"strings"
	"sync"
	"time"
	"unique"

	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// claimFamily is the private claim of our access tokens that names their family.
const claimFamily = "gh_fam"

// claimMark is the private claim that tells the password of a local user from others of
// theirs (storage.Mark).
const claimMark = "gh_pw"

// claimAZP names the client in access tokens of Auth0's form.
const claimAZP = "azp"

// claimGroups is the claim of a person's groups. See RFC 9068 §2.2.3.1.
const claimGroups = "groups"

// maxAudiences is how many audiences a token may have.
const maxAudiences = 100

// Claims are what a verified token says. Immutable and safe for concurrent use.
//
// What every request looks at comes first, and lies together: with many tokens in
// use, each line of memory that a request touches is one that it waits for.
type Claims struct {
	digest       [sha256.Size]byte     // of the token, where the verified cache holds it
	key          *jose.PublicKey       // that verified the token
	profile      unique.Handle[string] // how they were read, where another issuer made the token
	leeway       time.Duration         // of that issuer's clock
	Issuer       string
	Expiry       time.Time
	NotBefore    time.Time          // zero when absent, as IssuedAt and AuthTime
	Confirmation *jose.Confirmation // cnf: what the token is bound to; nil for a bearer token
	Audience     []string
	Scope        []string
	audience     [1]string // where Audience lies, as far as it has room
	scope        [2]string // where Scope does

	denylist.Token // what the denylist asks about it

	Subject   string
	ClientID  string
	ID        string // jti
	AuthTime  time.Time
	ACR       string
	SessionID string // sid
	// Groups are those of the person, in a token of this gateway: another issuer's groups
	// are its own word, and never here.
	Groups  []string
	Nonce   string
	use     string       // token_use: UseAccess, or ""
	mark    storage.Mark // gh_pw, where hasMark
	hasMark bool

	raw     string
	memory  int64     // of members, beside the texts in it, read or not
	once    sync.Once // all is read at the first Lookup: most routes need none
	members map[string]any
}

// Shared returns the one copy of a text that all tokens and configurations hold: it
// takes memory once, and comparing it with itself reads none.
func Shared(text string) string { return unique.Make(text).Value() }

// share lets the claims keep what many tokens say in one place. Only for tokens
// that were verified: others could fill the memory with it.
func (c *Claims) share() {
	c.Issuer, c.ClientID, c.ACR = Shared(c.Issuer), Shared(c.ClientID), Shared(c.ACR)
	for _, list := range [][]string{c.Audience, c.Scope, c.Groups} {
		for i, text := range list {
			list[i] = Shared(text)
		}
	}
}

// ParseClaims reads the payload of an access token that this gateway has just
// signed with key, for the verified cache. Its client is taken for one of the configuration.
func ParseClaims(payload []byte, key *jose.PublicKey) (*Claims, error) {
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	c.key = key
	c.share()
	return c, c.requireAccessToken()
}

// Foreign reports whether another issuer made the token.
func (c *Claims) Foreign() bool { return c.profile != unique.Handle[string]{} }

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
	r, err := jose.ReadJSON(payload)
	if err != nil {
		return nil, jose.ErrMalformed
	}
	defer r.Close()
	c := &Claims{raw: r.Text}
	for {
		name, err := r.Next()
		if err != nil {
			return nil, unreadable(err, jose.ErrMalformed)
		}
		if name == nil {
			break
		}
		if err := c.read(string(name), r); err != nil {
			return nil, unreadable(err, errClaim)
		}
	}
	if r.End() != nil {
		return nil, jose.ErrMalformed
	}
	c.memory = r.Memory()
	c.User, c.Client = storage.TagSubject(c.Subject), storage.TagClient(c.ClientID)
	return c, nil
}

// read reads the value of one claim. See RFC 7519 §4.1, RFC 9068 §2.2, OpenID
// Connect Core §2.
func (c *Claims) read(name string, r *jose.JSONReader) (err error) {
	switch name {
	case "iss":
		c.Issuer, err = r.String()
	case "sub":
		c.Subject, err = r.String()
	case "aud":
		c.Audience, err = r.StringList(c.audience[:0], maxAudiences)
	case "client_id", claimAZP:
		c.ClientID, err = r.String()
	case "scope":
		var scope string
		scope, err = r.String()
		c.Scope = c.scope[:0]
		for name := range strings.FieldsFuncSeq(scope, isSpace) { // RFC 6749 §3.3: spaces only
			c.Scope = append(c.Scope, name)
		}
	case "jti":
		c.ID, err = r.String()
		c.TokenID, c.HasTokenID = storage.ParseTokenID(c.ID)
	case "exp":
		c.Expiry, err = r.NumericDate()
	case "iat":
		c.IssuedAt, err = r.NumericDate()
	case "nbf":
		c.NotBefore, err = r.NumericDate()
	case "cnf":
		c.Confirmation, err = jose.ReadConfirmation(r)
	default:
		err = c.readLogin(name, r)
	}
	return err
}

// readLogin reads the value of a claim about the login behind the token.
func (c *Claims) readLogin(name string, r *jose.JSONReader) (err error) {
	switch name {
	case "auth_time":
		c.AuthTime, err = r.NumericDate()
	case "acr":
		c.ACR, err = r.String()
	case "sid":
		c.SessionID, err = r.String()
		c.Session, c.HasSession = storage.ParseSessionID(c.SessionID)
	case "nonce":
		c.Nonce, err = r.String()
	case "token_use":
		c.use, err = r.String()
	case claimMark:
		var mark string
		mark, err = r.String()
		c.mark, c.hasMark = storage.ParseMark(mark)
	case claimGroups:
		c.Groups, err = r.StringList(nil, oauth.MaxTokenBytes) // as many as fit
	case claimFamily:
		var family string
		family, err = r.String()
		c.Family, c.HasFamily = storage.ParseFamilyID(family)
	default:
		err = r.Skip()
	}
	return err
}

func isSpace(c rune) bool { return c == ' ' }

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
// has dots ("https://example.com/roles") is found first. client_id is there in every
// form of our tokens. The value must not be changed.
func (c *Claims) Lookup(path string) (any, bool) {
	c.once.Do(func() {
		r, err := jose.ReadJSON([]byte(c.raw))
		if err != nil {
			return
		}
		defer r.Close()
		c.members, _ = r.Object() // was read before, without an error
		if _, named := c.members[claimAZP]; named {
			c.members["client_id"] = c.ClientID
		}
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

// Size is about how many bytes the claims take of a process's memory, read for
// Lookup or not: the payload, its texts once more, and what holds them; all of
// it twice, since the heap grows to double of what is reachable before it is collected.
func (c *Claims) Size() int64 {
	lists := 32 * int64(len(c.Audience)+len(c.Scope)+len(c.Groups)) // which have room for as many again
	return 2 * (512 + 2*int64(len(c.raw)) + lists + c.memory)
}

// Binding returns what the token is bound to.
func (c *Claims) Binding() jose.Confirmation {
	if c.Confirmation == nil {
		return jose.Confirmation{}
	}
	return *c.Confirmation
}
