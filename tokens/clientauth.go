package tokens

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
	Assertion string // with AuthPrivateKeyJWT, where ClientID may be ""
	Method    AuthMethod
	// Address is the network that the request comes from, "" if that is not
	// known. Comparisons of slow hashes are shared and limited by it.
	Address string
	// Certificate is that of the connection, nil for none. It counts for clients
	// that authenticate by one, where nothing else is shown.
	Certificate *PeerCertificate
}

// AuthenticateClient finds the client and checks what it shows. Every failure is
// InvalidClient, alike in body and time. A public client shows nothing, a
// confidential one must. See RFC 6749 §2.3 and §3.2.1.
func (i *Issuer) AuthenticateClient(ctx context.Context, cr Credentials) (*Client, error) {
	if cr.Method == AuthPrivateKeyJWT {
		return i.byAssertion(ctx, cr)
	}
	c, known := i.Client(cr.ClientID)
	reason := Reason("")
	switch {
	case !known:
		reason = ReasonUnknownClient
	case cr.Method == AuthNone && len(c.TLS.Methods()) > 0:
		return i.byCertificate(ctx, c, cr.Certificate)
	case c.Confidential() != (cr.Method != AuthNone):
		reason = ReasonBadMethod
	case !c.Confidential():
		return c, nil
	}
	if reason != "" {
		if cr.Method == AuthNone { // nothing was shown that could be compared
			return nil, i.badClient(ctx, c, reason, nil)
		}
		if err := i.secrets.delay(ctx, cr.shown()); err != nil {
			return nil, i.secretUnchecked(ctx, c, err)
		}
		return nil, i.badClient(ctx, c, reason, nil)
	}
	return i.bySecret(ctx, c, cr.shown())
}

func (c *Credentials) shown() shownSecret {
	return shownSecret{client: c.ClientID, address: c.Address, secret: c.Secret}
}

// secretUnchecked is the answer where a secret could not be compared: come
// again, where too many wait when there is likely to be room.
func (i *Issuer) secretUnchecked(ctx context.Context, c *Client, err error) error {
	answer := errTooManySecrets
	if busy, ok := errors.AsType[*HashBusyError](err); ok {
		answer = &Error{
			Code: TemporarilyUnavailable, Reason: ReasonRateLimited, RetryAfter: busy.After,
			Description: "Too many secrets are to be compared at this moment. Try again shortly.",
		}
	} else if !errors.Is(err, errTooManySecrets) {
		return unavailable(fmt.Errorf("checking client secret: %w", err))
	}
	e := Event{Kind: EventClientAuth, Outcome: Outcome(ReasonRateLimited), Cause: err}
	if c != nil {
		e.Client = c.ID
	}
	i.observe(ctx, e)
	return answer
}

// bySecret checks the secret of a client. One that has only keys has none that fits.
func (i *Issuer) bySecret(ctx context.Context, c *Client, shown shownSecret) (*Client, error) {
	number, err := i.secrets.check(ctx, c.SecretHashes, shown)
	if err != nil {
		return nil, i.secretUnchecked(ctx, c, err)
	}
	if number == 0 {
		return nil, i.badClient(ctx, c, ReasonBadSecret, nil)
	}
	i.noteCredential(ctx, c, "secret_hash", number)
	return c, nil
}

// noteCredential says which credential a client has used, where it has several:
// by the option and its number in the configuration. Who changes one wants to
// see when the old one is not used any more.
func (i *Issuer) noteCredential(ctx context.Context, c *Client, option string, number int) {
	several := len(c.SecretHashes) + len(c.Keys.Fixed)
	if c.Keys.Remote != nil {
		several++
	}
	if several > 1 {
		i.observe(ctx, Event{Kind: EventClientCredential, Outcome: Outcome(option + " " + strconv.Itoa(number)), Client: c.ID})
	}
}

// badClient is the one answer for every client that did not authenticate. The
// cause is for the log alone.
func (i *Issuer) badClient(ctx context.Context, c *Client, reason Reason, cause error) error {
	e := Event{Kind: EventClientAuth, Outcome: Outcome(reason), Cause: cause}
	if c != nil {
		e.Client = c.ID
	}
	i.observe(ctx, e)
	return refuse(InvalidClient, reason, "The client is unknown or did not authenticate.")
}
