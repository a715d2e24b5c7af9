package tokens

// Tokens are bound to their sender: to the key of the DPoP proof that came with
// the request (RFC 9449), or to the certificate of its connection (RFC 8705).
// The access token says so in cnf. A public client's refresh token says so in
// its own text, under the MAC; a confidential client authenticates with each
// refresh, which binds it already (RFC 9449 §5, RFC 8705 §4).

var (
	errProofMissing       = refuse(InvalidDPoPProof, ReasonProofMissing, "A DPoP proof is needed: the client or its refresh token is bound to a key.")
	errCertificateMissing = refuse(InvalidRequest, ReasonBinding, "The client has to connect with its TLS client certificate.")
)

// senderFits refuses a request whose sender proves less than the client has to.
func (c *Client) senderFits(sender Confirmation) error {
	switch {
	case c.DPoPRequired && sender.Key.IsZero():
		return errProofMissing
	case c.CertificateBound && sender.Certificate.IsZero():
		return errCertificateMissing
	}
	return nil
}

// bind returns what an access token for a sender is bound to. A certificate
// counts for clients that are configured for it (RFC 8705 §3.4): others may
// meet a server that asks everybody for one.
func (c *Client) bind(sender Confirmation) Confirmation {
	if !c.CertificateBound {
		sender.Certificate = Thumbprint{}
	}
	return sender
}

// bindRefresh returns what the next refresh token of a family is bound to, of
// which before is the presented one's binding: a public client that begins to
// send proofs has its refresh token bound from then on.
func (c *Client) bindRefresh(before, sender Confirmation) Confirmation {
	if c.Confidential() {
		return before
	}
	bound := c.bind(sender)
	if bound.Certificate.IsZero() {
		bound.Certificate = before.Certificate
	}
	return bound
}
