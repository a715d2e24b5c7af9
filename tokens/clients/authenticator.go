package clients

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// AuthMethod is how a client authenticated. See RFC 6749 §2.3.1 and OpenID Connect Core §9.
type AuthMethod string

// The methods that Gatehouse takes.
const (
	AuthNone          AuthMethod = "none"
	AuthBasic         AuthMethod = "client_secret_basic"
	AuthPost          AuthMethod = "client_secret_post"
	AuthPrivateKeyJWT AuthMethod = "private_key_jwt"
	AuthTLS           AuthMethod = "tls_client_auth"             // RFC 8705 §2.1
	AuthSelfSigned    AuthMethod = "self_signed_tls_client_auth" // RFC 8705 §2.2
)

// Credentials are what a request says about its client.
type Credentials struct {
	ClientID  string
	Secret    string
	Literal   *Literal // nil where it is the same
	Assertion string   // with AuthPrivateKeyJWT, where ClientID may be ""
	Method    AuthMethod
	// Held says that the request brings a refresh token, whose grant says whether its client
	// authenticates: one that is known by its document is not looked up.
	Held bool
	// Endpoints are the URLs of the endpoint that is called, which an assertion may name
	// as its audience in place of the issuer.
	Endpoints []string
	// Address is the network that the request comes from, "" if that is not
	// known. Comparisons of slow hashes are shared and limited by it.
	Address string
	// Certificate is that of the connection, nil for none. It counts for clients
	// that authenticate by one, where nothing else is shown.
	Certificate *PeerCertificate
}

// Literal is what stood in an Authorization header before it was decoded as RFC 6749
// §2.3.1 says. Many libraries do not encode, so it is tried where the decoded form fails.
type Literal struct{ ClientID, Secret string }

// AuthenticatorConfig says what an Authenticator is made of.
type AuthenticatorConfig struct {
	Issuer     string // the audience of client assertions
	Clients    *Directory
	Secrets    *SecretMemory
	Assertions storage.Assertions // remembers which were used
	// NewAttempt draws the mark of a call to Assertions.
	NewAttempt func() storage.Attempt
	// CompareHash compares a secret with a bcrypt or argon2id hash.
	CompareHash func(hash, plaintext []byte) (bool, error)
	Observer    oauth.Observer
	Clock       func() time.Time
}

// Authenticator finds out which client sends a request. Safe for concurrent use.
type Authenticator struct {
	cfg     AuthenticatorConfig
	secrets *secretChecker
}

// NewAuthenticator makes an Authenticator.
func NewAuthenticator(cfg AuthenticatorConfig) *Authenticator {
	return &Authenticator{cfg: cfg, secrets: newSecretChecker(cfg.Clients.All(), cfg.CompareHash, cfg.Clock, cfg.Secrets)}
}

// Authenticate finds the client and checks what it shows. Every failure is
// InvalidClient, alike in body and time. A public client shows nothing, a
// confidential one must. See RFC 6749 §2.3 and §3.2.1.
func (a *Authenticator) Authenticate(ctx context.Context, cr Credentials) (*Client, error) {
	if cr.Method == AuthPrivateKeyJWT {
		return a.byAssertion(ctx, cr)
	}
	resolve := a.cfg.Clients.Resolve
	if cr.Held && cr.Method == AuthNone {
		resolve = a.cfg.Clients.Refreshing
	}
	c, err := resolve(ctx, cr.ClientID)
	if errors.Is(err, ErrUnknown) && cr.Literal != nil {
		c, err = a.cfg.Clients.Resolve(ctx, cr.Literal.ClientID)
	}
	var refuse func() error
	switch {
	case err != nil && !errors.Is(err, ErrUnknown):
		return nil, err
	case err != nil:
		refuse = func() error { return a.refuseUnknown(ctx, cr.ClientID) }
	case cr.Method == AuthNone && len(c.TLS.Methods()) > 0:
		return a.byCertificate(ctx, c, cr.Certificate)
	case c.Confidential() != (cr.Method != AuthNone):
		refuse = func() error { return a.refuseMethod(ctx, c, cr.Method) }
	case !c.Confidential():
		return c, nil
	}
	if refuse != nil {
		if cr.Method == AuthNone { // nothing was shown that could be compared
			return nil, refuse()
		}
		if err := a.secrets.delay(ctx, cr.shown()); err != nil {
			return nil, a.secretUnchecked(ctx, c, err)
		}
		return nil, refuse()
	}
	shown := cr.shown()
	shown.client = c.ID // one client, however it was written
	return a.bySecret(ctx, c, shown)
}

func (c *Credentials) shown() shownSecret {
	shown := shownSecret{client: c.ClientID, address: c.Address, secrets: []string{c.Secret}}
	if c.Literal != nil && c.Literal.Secret != c.Secret {
		shown.secrets = append(shown.secrets, c.Literal.Secret)
	}
	return shown
}

// secretUnchecked is the answer where a secret could not be compared: come again, and
// if too many are waiting, when there is likely to be room.
func (a *Authenticator) secretUnchecked(ctx context.Context, c *Client, err error) error {
	answer := errTooManySecrets
	if busy, ok := errors.AsType[*HashBusyError](err); ok {
		answer = &oauth.Error{
			Code: oauth.TemporarilyUnavailable, Reason: oauth.ReasonRateLimited, RetryAfter: busy.After,
			Description: "Too many secrets are to be compared at this moment. Try again shortly.",
		}
	} else if !errors.Is(err, errTooManySecrets) {
		return oauth.Unavailable(fmt.Errorf("checking client secret: %w", err))
	}
	e := oauth.Event{Kind: oauth.EventClientAuth, Outcome: oauth.Outcome(oauth.ReasonRateLimited), Cause: err}
	if c != nil {
		e.Client = c.ID
	}
	a.cfg.Observer.Happened(ctx, e)
	return answer
}

// bySecret checks the secret of a client. One that has only keys has none that fits.
func (a *Authenticator) bySecret(ctx context.Context, c *Client, shown shownSecret) (*Client, error) {
	number, err := a.secrets.check(ctx, c.SecretHashes, shown)
	if err != nil {
		return nil, a.secretUnchecked(ctx, c, err)
	}
	if number == 0 {
		return nil, a.Refuse(ctx, c, oauth.ReasonBadSecret, nil)
	}
	a.noteCredential(ctx, c, "secret_hash", number)
	return c, nil
}

// noteCredential says which credential a client has used, where it has several:
// by the option and its number in the configuration. An operator who replaces one
// wants to see when the old one is no longer used.
func (a *Authenticator) noteCredential(ctx context.Context, c *Client, option string, number int) {
	several := len(c.SecretHashes) + len(c.Keys.Fixed)
	if c.Keys.Remote != nil {
		several++
	}
	if several > 1 {
		a.cfg.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventClientCredential, Outcome: oauth.Outcome(option + " " + strconv.Itoa(number)), Client: c.ID})
	}
}

// Refuse returns the one answer for every client that did not authenticate, and
// reports it. The cause is for the log alone.
func (a *Authenticator) Refuse(ctx context.Context, c *Client, reason oauth.Reason, cause error) error {
	e := oauth.Event{Kind: oauth.EventClientAuth, Outcome: oauth.Outcome(reason), Cause: cause}
	if c != nil {
		e.Client = c.ID
	}
	return a.refuse(ctx, e)
}

func (a *Authenticator) refuse(ctx context.Context, e oauth.Event) error {
	a.cfg.Observer.Happened(ctx, e)
	return oauth.Refuse(oauth.InvalidClient, oauth.Reason(e.Outcome), "The client is unknown or did not authenticate.")
}

// refuseUnknown is Refuse for a client that is not registered.
func (a *Authenticator) refuseUnknown(ctx context.Context, id string) error {
	m := a.cfg.Clients.Unknown(id)
	return a.refuse(ctx, oauth.Event{Kind: oauth.EventClientAuth, Outcome: oauth.Outcome(oauth.ReasonUnknownClient), Mismatch: &m})
}

// refuseMethod is Refuse for a client that authenticates in a way that is not its own.
func (a *Authenticator) refuseMethod(ctx context.Context, c *Client, method AuthMethod) error {
	return a.refuse(ctx, oauth.Event{
		Kind: oauth.EventClientAuth, Outcome: oauth.Outcome(oauth.ReasonBadMethod), Client: c.ID,
		Mismatch: &oauth.Mismatch{Sent: string(method), Registered: c.methods(), Option: c.methodOption()},
	})
}

// methods are the ways in which the client can authenticate.
func (c *Client) methods() []string {
	var methods []string
	if len(c.SecretHashes) > 0 {
		methods = append(methods, string(AuthBasic), string(AuthPost))
	}
	if c.Keys.any() {
		methods = append(methods, string(AuthPrivateKeyJWT))
	}
	for _, m := range c.TLS.Methods() {
		methods = append(methods, string(m))
	}
	if len(methods) == 0 {
		methods = append(methods, string(AuthNone))
	}
	return methods
}

// methodOption names the option that says whether and how the client authenticates.
func (c *Client) methodOption() string {
	if c.Confidential() {
		return "secret_hash"
	}
	return "type"
}
