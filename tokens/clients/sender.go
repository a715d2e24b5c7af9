package clients

import (
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Tokens are bound to their sender: to the key of the DPoP proof that came with
// the request (RFC 9449), or to the certificate of its connection (RFC 8705).
// The access token says so in cnf. A public client's refresh token says so in
// its own text, under the MAC; a confidential client authenticates with each
// refresh, which binds it already (RFC 9449 §5, RFC 8705 §4).

var (
	// ErrProofMissing refuses a request without the DPoP proof that it needs. It is shared: nothing changes it.
	ErrProofMissing       = oauth.Refuse(oauth.InvalidDPoPProof, oauth.ReasonProofMissing, "A DPoP proof is needed: the client or its refresh token is bound to a key.")
	errCertificateMissing = oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBinding, "The client must connect with its TLS client certificate.")
)

// SenderFits refuses a request whose sender proves less than the client has to.
func (c *Client) SenderFits(sender jose.Confirmation) error {
	switch {
	case c.DPoPRequired && sender.Key.IsZero():
		return ErrProofMissing
	case c.CertificateBound && sender.Certificate.IsZero():
		return errCertificateMissing
	}
	return nil
}

// Bind returns what an access token for a sender is bound to. A certificate
// counts for clients that are configured for it (RFC 8705 §3.4): others may
// meet a server that asks everybody for one.
func (c *Client) Bind(sender jose.Confirmation) jose.Confirmation {
	if !c.CertificateBound {
		sender.Certificate = jose.Thumbprint{}
	}
	return sender
}

// BindRefresh returns what the next refresh token of a family is bound to, of
// which before is the presented one's binding: a public client that begins to
// send proofs has its refresh token bound from then on.
func (c *Client) BindRefresh(before, sender jose.Confirmation) jose.Confirmation {
	if c.Confidential() {
		return before
	}
	bound := c.Bind(sender)
	if bound.Certificate.IsZero() {
		bound.Certificate = before.Certificate
	}
	return bound
}
