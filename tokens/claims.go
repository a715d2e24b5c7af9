package tokens

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// ClaimFamily is the private claim of our access tokens that names their family.
const ClaimFamily = "gh_fam"

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
	SessionID    string // sid
	Nonce        string
	Family       FamilyID // of gh_fam, where HasFamily
	HasFamily    bool
	User         UserTag   // TagSubject(Subject)
	Client       ClientTag // TagClient(ClientID)
	Confirmation string    // cnf.jkt: the thumbprint of the DPoP key that the token is bound to

	raw []byte
	key *jose.PublicKey // that verified the token
}

// ParseClaims reads the payload of a token that this gateway has just signed
// with key, for the verified cache.
func ParseClaims(payload []byte, key *jose.PublicKey) (*Claims, error) { panic("unwritten") }

// Lookup returns any claim: a string, bool, json.Number, []any,
// map[string]any or nil. A dot steps into an object; a member whose own name
// has dots is found first. The value must not be changed.
func (c *Claims) Lookup(path string) (any, bool) { panic("unwritten") }

// Size is about how many bytes the claims hold in memory.
func (c *Claims) Size() int64 { panic("unwritten") }
