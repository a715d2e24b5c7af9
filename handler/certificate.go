package handler

import (
	"crypto/sha256"
	"crypto/x509"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// leafOf returns the client certificate of the connection, nil for none. What a
// header says of a certificate is what anybody can write, and counts for
// nothing. See RFC 8705 §6.5.
func leafOf(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// certificateOf returns the thumbprint of the client certificate of the
// connection, zero for none. See RFC 8705 §3.1.
func certificateOf(r *http.Request) tokens.Thumbprint {
	leaf := leafOf(r)
	if leaf == nil {
		return tokens.Thumbprint{}
	}
	return sha256.Sum256(leaf.Raw)
}

// peerOf returns what the client certificate of the connection says, nil for
// none. It counts as verified only where the TLS stack has built a chain.
func peerOf(r *http.Request) *tokens.PeerCertificate {
	leaf := leafOf(r)
	if leaf == nil {
		return nil
	}
	p := &tokens.PeerCertificate{
		Thumbprint: sha256.Sum256(leaf.Raw),
		Verified:   len(r.TLS.VerifiedChains) > 0,
		Subject:    tokens.SubjectNameOf(leaf.RawSubject),
		DNS:        leaf.DNSNames,
		Emails:     leaf.EmailAddresses,
	}
	for _, u := range leaf.URIs {
		p.URIs = append(p.URIs, u.String())
	}
	for _, ip := range leaf.IPAddresses {
		p.IPs = append(p.IPs, ip.String())
	}
	return p
}
