package fetch

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

// KeySource says where the keys of another issuer are: at JWKSURI, in File or in
// Document, or where the issuer's metadata says.
type KeySource struct {
	Issuer string
	// JWKSURI is the address of its JWK set; "" asks the issuer's metadata.
	JWKSURI string
	// File is a file with its keys, which is read again and again.
	File string
	// Document is its keys, written out.
	Document string
	// AllowPrivate lets its server be at a private, loopback or link-local address, and
	// lets http be used with one.
	AllowPrivate bool
	// CA is a PEM file of the certificates that may vouch for its server; "" is those
	// that the system trusts.
	CA string
	// Client is one of NewClient, which then decides in the place of AllowPrivate and CA.
	Client *http.Client
	// HeaderName and HeaderValue are a header that its server wants to see.
	HeaderName, HeaderValue string
}

// Remote reports whether the keys come over the network.
func (s KeySource) Remote() bool { return s.File == "" && s.Document == "" }

// CheckFiles makes sure that the files can be read.
func (s KeySource) CheckFiles() error {
	if s.File != "" {
		if _, _, err := s.local(); err != nil {
			return err
		}
	}
	_, err := s.roots()
	return err
}

// client makes the client by which its server is asked.
func (s KeySource) client() *http.Client {
	if s.Client != nil {
		return s.Client
	}
	return NewClient(Access{AllowPrivate: s.AllowPrivate, Clear: s.AllowPrivate, Roots: s.roots})
}

// reachable names the address that no client would go to.
func (s KeySource) reachable(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !s.AllowPrivate && s.Client == nil) {
		return fmt.Errorf("%q is not an https URL", address)
	}
	return nil
}

// writtenAge is how long keys that are written out may be kept: they do not change.
const writtenAge = 24 * time.Hour

// local returns keys of this machine.
func (s KeySource) local() ([]byte, time.Duration, error) {
	if s.File == "" {
		return []byte(s.Document), writtenAge, nil
	}
	file, err := os.Open(s.File)
	if err != nil {
		return nil, 0, fmt.Errorf("reading key set: %w", err)
	}
	defer func() { _ = file.Close() }()
	document, err := readBounded(file)
	return document, 0, err
}

// roots reads the certificates, each time anew: whoever made them replaces them.
func (s KeySource) roots() (*x509.CertPool, error) {
	if s.CA == "" {
		return nil, nil //nolint:nilnil // those of the system
	}
	return ReadRoots(s.CA)
}

// ReadRoots reads the certificates of a PEM file that may vouch for servers.
func ReadRoots(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("reading ca: there is no certificate in " + path)
	}
	return pool, nil
}
