package wire

import (
	"crypto/sha256"
	"crypto/x509"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// ClientCertificate returns the client certificate of the connection, nil for none. What a
// header says of a certificate is what anybody can write, and counts for
// nothing. See RFC 8705 §6.5.
func ClientCertificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// CertificateThumbprint returns the thumbprint of the client certificate of the
// connection, zero for none. See RFC 8705 §3.1.
func CertificateThumbprint(r *http.Request) jose.Thumbprint {
	leaf := ClientCertificate(r)
	if leaf == nil {
		return jose.Thumbprint{}
	}
	return sha256.Sum256(leaf.Raw)
}
