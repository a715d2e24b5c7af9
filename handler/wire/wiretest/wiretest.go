// Package wiretest has what the tests of both halves need: answers that are
// read, and connections with a client certificate.
package wiretest

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// Answer is a response with its body read.
type Answer struct {
	StatusCode int
	Header     http.Header
	Cookies    []*http.Cookie
	Body       string
}

// AnswerOf reads what a handler has written.
func AnswerOf(t testing.TB, w *httptest.ResponseRecorder) *Answer {
	t.Helper()
	res := w.Result()
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &Answer{StatusCode: res.StatusCode, Header: res.Header, Cookies: res.Cookies(), Body: string(b)}
}

// WithCertificate pretends a connection with a client certificate.
func WithCertificate(r *http.Request, raw string) *http.Request {
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte(raw)}}}
	return r
}

// CertificatePrint returns the `x5t#S256` of such a certificate. See RFC 8705 §3.1.
func CertificatePrint(raw string) string {
	return jose.Thumbprint(sha256.Sum256([]byte(raw))).String()
}
