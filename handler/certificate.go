package handler

import (
	"crypto/sha256"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// peerOf returns what the client certificate of the connection says, nil for
// none. It counts as verified only where the TLS stack has built a chain.
func peerOf(r *http.Request) *clients.PeerCertificate {
	leaf := wire.ClientCertificate(r)
	if leaf == nil {
		return nil
	}
	p := &clients.PeerCertificate{
		Thumbprint: sha256.Sum256(leaf.Raw),
		Verified:   len(r.TLS.VerifiedChains) > 0,
		Subject:    clients.SubjectNameOf(leaf.RawSubject),
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
