package upstream

import (
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Config is one login at a provider. Every field without a note may be empty.
type Config struct {
	Name     string // of the login; required
	Label    string // for people; "" is the Name
	Issuer   string // byte for byte as the provider's documents have it; required
	ClientID string // required
	// ClientSecrets returns the secrets as they are now, the one to use first. A
	// second one is tried where the provider refuses the first as invalid_client.
	ClientSecrets func() ([]string, error)
	// ClientKey signs client assertions (RFC 7523 §2.2), in place of a secret.
	ClientKey *jose.PrivateKey
	// ClientAuth is how this gateway authenticates; "" is what the provider announces.
	ClientAuth ClientAuth

	Scopes       []string   // asked for; nil is openid profile email
	Parameters   []KeyValue // further ones of the authorization request
	ResponseMode string     // "query" is the default; "form_post"
	NoPKCE       bool
	NoNonce      bool
	// NoIssuerCheck takes answers without the iss that the provider announces (RFC 9207).
	NoIssuerCheck bool
	// Prompts are the values of prompt that the provider knows; nil is all of OpenID Connect.
	Prompts []string
	// NoMaxAge says that the provider ignores max_age, or refuses it.
	NoMaxAge bool
	// Algorithms of ID tokens; nil is the asymmetric ones that the provider announces.
	// HS256 is by the client secret, and only where it is the one that is listed.
	Algorithms []jose.Algorithm
	// IssuerAlias is another iss that its ID tokens and answers may have (Google).
	IssuerAlias string
	// Tenants are the tenants that may come, where Issuer holds {tenantid} (Entra).
	Tenants []string

	Subject []string // the claims whose texts, joined by a dot, are the ID; nil is sub
	// EmailTrusted takes every address for verified: the operator owns the directory.
	EmailTrusted bool
	EmailDomains []string // which this login may assert; nil for any
	// GroupsClaims are the claims that hold groups; see groupsOf. At GitHub any says that
	// they are wanted, which an allow line of groups says as well.
	GroupsClaims []string
	Claims       map[string]string // more to keep: our name, theirs; a path as in GroupsClaims
	Allow        []Rule            // all must hold
	ACRs         map[string]string // ours, theirs

	Schedule login.Schedule
	// KeepIDToken keeps it for the sign-out at the provider.
	KeepIDToken bool
	// NoUserinfo never asks the userinfo endpoint.
	NoUserinfo bool
	// Overage asks Microsoft Graph for the groups where the ID token has too many.
	Overage bool

	Endpoints    Endpoints // in place of those of discovery
	AllowPrivate bool      // the provider may be at a private or loopback address; that of Issuer may always be
	Insecure     bool      // it may be reached by http
	Roots        func() (*x509.CertPool, error)

	Observer oauth.Observer   // nil observes nothing
	Clock    func() time.Time // nil is time.Now
	Logger   *slog.Logger     // nil logs nothing
}

// ClientAuth is a client authentication method (OpenID Connect Core §9).
type ClientAuth string

// The methods.
const (
	AuthBasic         ClientAuth = "client_secret_basic"
	AuthPost          ClientAuth = "client_secret_post"
	AuthPrivateKeyJWT ClientAuth = "private_key_jwt"
	AuthNone          ClientAuth = "none"
)

// KeyValue is a parameter.
type KeyValue struct{ Name, Value string }

// Endpoints are addresses of a provider; "" is that of its discovery document, which
// is not fetched where Authorization, Token and JWKS are all here.
type Endpoints struct {
	Authorization, Token, Userinfo, JWKS, EndSession string
	// Graph is the first page of the person's groups at Microsoft Graph; "" is Microsoft's own.
	Graph string
}

// Rule is one allow line: of several values one has to hold.
type Rule struct {
	Kind   RuleKind
	Claim  string   // AllowClaim: theirs
	Values []string // AllowAnyone and AllowEmailVerified have none
}

// RuleKind says what a Rule looks at.
type RuleKind uint8

// The kinds of rule.
const (
	AllowAnyone        RuleKind = iota + 1 // on purpose
	AllowEmailVerified                     // the address is verified
	AllowEmail                             // verified, and one of these, without regard to ASCII capitals
	AllowEmailDomain                       // verified, and of one of these domains; `*.` means those below
	AllowGroup                             // in one of these, as the provider names them
	AllowSubject                           // the ID is one of these
	AllowClaim                             // a claim has, or holds, one of these
)
