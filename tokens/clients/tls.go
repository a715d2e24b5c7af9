package clients

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TLS is how a client authenticates by the certificate of its connection. With the
// zero value it does not. See RFC 8705 §2.
type TLS struct {
	// What a certificate of an authority that the server trusts must say; "" for
	// nothing. Subject is the whole name of the certificate, the others are
	// alternative names. Each one given here must be there.
	Subject             SubjectName
	DNS, URI, IP, Email string
	// Certificates are the client's own, no matter who issued them.
	Certificates []jose.Thumbprint
}

// PeerCertificate is the client certificate of a connection: the TLS handshake
// has proved that the client holds its key.
type PeerCertificate struct {
	Thumbprint             jose.Thumbprint
	Verified               bool // issued by an authority that the server trusts
	Subject                SubjectName
	DNS, URIs, IPs, Emails []string
}

// named reports whether a certificate may authenticate by what it says.
func (c TLS) named() bool {
	return c.Subject != "" || c.DNS != "" || c.URI != "" || c.IP != "" || c.Email != ""
}

// Methods returns the ways in which the client may authenticate by certificate.
func (c TLS) Methods() []AuthMethod {
	var methods []AuthMethod
	if c.named() {
		methods = append(methods, AuthTLS)
	}
	if len(c.Certificates) > 0 {
		methods = append(methods, AuthSelfSigned)
	}
	return methods
}

// accepts reports whether a certificate is the client's.
func (c TLS) accepts(p *PeerCertificate) bool {
	if slices.Contains(c.Certificates, p.Thumbprint) {
		return true
	}
	return c.named() && p.Verified &&
		(c.Subject == "" || c.Subject == p.Subject) &&
		(c.DNS == "" || slices.ContainsFunc(p.DNS, func(name string) bool { return strings.EqualFold(name, c.DNS) })) &&
		(c.URI == "" || slices.Contains(p.URIs, c.URI)) &&
		(c.IP == "" || slices.Contains(p.IPs, c.IP)) &&
		(c.Email == "" || slices.Contains(p.Emails, c.Email))
}

// describe says for the log whose certificate was shown.
func (p *PeerCertificate) describe() error {
	text := fmt.Sprintf("%q, with the alternative names %q", p.Subject, slices.Concat(p.DNS, p.URIs, p.IPs, p.Emails))
	return fmt.Errorf("its certificate (verified: %t) is of %.500s", p.Verified, text)
}

// byCertificate checks the certificate of a client's connection.
func (a *Authenticator) byCertificate(ctx context.Context, c *Client, p *PeerCertificate) (*Client, error) {
	if p == nil {
		return nil, a.refuseMethod(ctx, c, AuthNone)
	}
	if !c.TLS.accepts(p) {
		return nil, a.Refuse(ctx, c, oauth.ReasonBadCertificate, p.describe())
	}
	return c, nil
}
