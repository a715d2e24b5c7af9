package caddymodule

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// ClientMTLS is what a client's TLS client certificate is used for (RFC 8705). The issuer's
// site must request certificates, with Caddy's `client_auth` in its `tls` block. The same
// applies to each site whose `bearer_auth` accepts bound tokens.
//
// A certificate can replace a secret. You can identify it by its contents; Caddy must then
// verify it, with a `trust_pool` and the mode `verify_if_given` or `require_and_verify`. Or you
// can identify it by its thumbprint, no matter who issued it.
type ClientMTLS struct {
	// Whether the client's access tokens are bound to the certificate of the connection on
	// which it requested them. If the client does not authenticate, its refresh tokens are
	// bound as well. The client must then connect with a certificate. Default: false
	Bound bool `json:"bound,omitempty"`

	// The entire subject of the client's verified certificate, as printed by
	// `openssl x509 -noout -subject -nameopt RFC2253` (RFC 4514). The parts are compared in
	// order, ignoring case. Default: any
	Subject string `json:"subject,omitempty"`

	// A DNS name that must be among the alternative names of its verified certificate. Default:
	// any
	SANDNS string `json:"san_dns,omitempty"`

	// A URI that must be among the alternative names of its verified certificate. Default: any
	SANURI string `json:"san_uri,omitempty"`

	// An IP address that must be among the alternative names of its verified certificate.
	// Default: any
	SANIP string `json:"san_ip,omitempty"`

	// An email address that must be among the alternative names of its verified certificate.
	// Default: any
	SANEmail string `json:"san_email,omitempty"`

	// The SHA-256 fingerprints of the client's certificates, as printed by
	// `openssl x509 -noout -fingerprint -sha256`; several while a certificate is being changed.
	// The certificates do not need to be verified. Default: none
	Fingerprints []string `json:"fingerprints,omitempty"`
}

// readMTLS reads `mtls bound`, or a block.
func (c *Client) readMTLS(g *grammar.Reader) error {
	if g.CountRemainingArgs() == 0 {
		return grammar.Block(&c.MTLS, (*ClientMTLS).options).Read(g)
	}
	c.MTLS = new(ClientMTLS)
	return grammar.Keyword("bound", &c.MTLS.Bound).Read(g)
}

func (m *ClientMTLS) options() grammar.Options {
	return grammar.Options{
		"bound":       grammar.Flag(&m.Bound),
		"subject":     grammar.String(&m.Subject),
		"san_dns":     grammar.String(&m.SANDNS),
		"san_uri":     grammar.String(&m.SANURI),
		"san_ip":      grammar.String(&m.SANIP),
		"san_email":   grammar.String(&m.SANEmail),
		"fingerprint": grammar.List(&m.Fingerprints),
	}
}

// checkMTLS checks what its certificate is for.
func (c *Client) checkMTLS() error {
	if c.MTLS == nil {
		return nil
	}
	if err := grammar.Within("mtls", c.MTLS.check()); err != nil {
		return err
	}
	if !c.confidential() && c.authenticatesByTLS() {
		return grammar.Within("mtls", grammar.Wrong("", "`type %s` runs on the machines of its users, who have no certificate of their application: write `bound` alone, or `type web`", c.Type))
	}
	return nil
}

func (m *ClientMTLS) check() error {
	if m.Subject != "" {
		if _, err := clients.ParseSubjectName(m.Subject); err != nil {
			return grammar.Wrong("subject", "%q is no name (%s): take what `openssl x509 -noout -subject -nameopt RFC2253` prints behind the =", m.Subject, err)
		}
	}
	if m.SANIP != "" {
		if _, err := netip.ParseAddr(m.SANIP); err != nil {
			return grammar.Wrong("san_ip", "%q is not an IP address: write one such as 10.0.0.7", m.SANIP)
		}
	}
	return checkEach("fingerprint", m.Fingerprints, func(text string) error {
		_, err := parseFingerprint(text)
		return err
	})
}

// parseFingerprint reads a SHA-256 in hex, with or without colons.
func parseFingerprint(text string) (jose.Thumbprint, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(b) != len(jose.Thumbprint{}) {
		return jose.Thumbprint{}, errors.New("is not a SHA-256 fingerprint: take what `openssl x509 -noout -fingerprint -sha256` prints behind the =")
	}
	return jose.Thumbprint(b), nil
}

// certificateBound reports whether its tokens are bound to its certificate.
func (c *Client) certificateBound() bool { return c.MTLS != nil && c.MTLS.Bound }

// authenticatesByTLS reports whether a certificate can stand in the place of its secret.
func (c *Client) authenticatesByTLS() bool { return len(c.coreTLS().Methods()) > 0 }

// coreTLS returns how it authenticates by certificate, as the core has it. What
// Check would refuse is left out.
func (c *Client) coreTLS() clients.TLS {
	if c.MTLS == nil {
		return clients.TLS{}
	}
	core := clients.TLS{DNS: c.MTLS.SANDNS, URI: c.MTLS.SANURI, Email: c.MTLS.SANEmail}
	if c.MTLS.Subject != "" {
		core.Subject, _ = clients.ParseSubjectName(c.MTLS.Subject)
	}
	if addr, err := netip.ParseAddr(c.MTLS.SANIP); err == nil {
		core.IP = addr.String()
	}
	for _, text := range c.MTLS.Fingerprints {
		if print, err := parseFingerprint(text); err == nil {
			core.Certificates = append(core.Certificates, print)
		}
	}
	return core
}
