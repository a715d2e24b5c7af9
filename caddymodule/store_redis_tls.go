package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// RedisTLS is how connections to Redis are encrypted.
type RedisTLS struct {
	// A PEM file of the certificate authorities to trust for the server's certificate. Default:
	// the system's authorities.
	CA string `json:"ca,omitempty"`

	// A PEM file of the certificate that the gateway presents. Default: none.
	Certificate string `json:"certificate,omitempty"`

	// A PEM file of the certificate's private key. Default: none.
	Key string `json:"key,omitempty"`

	// The name that the server's certificate is for. Default: the host of the address.
	ServerName string `json:"server_name,omitempty"`
}

// config reads the files, for each connection: they are renewed, and `caddy
// validate` may run where they are not.
func (t *RedisTLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("reading tls ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("reading tls ca: " + t.CA + " holds no certificate: write the path of a PEM file")
		}
	}
	if t.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("reading tls certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
