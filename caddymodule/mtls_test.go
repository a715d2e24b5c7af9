package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// authority issues certificates, of the server and of clients.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	made int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue makes a certificate, signed by itself while there is no authority.
func (a *authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.made++
	template.SerialNumber = big.NewInt(a.made)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// client makes a client's certificate.
func (a *authority) client(name string) tls.Certificate {
	a.t.Helper()
	return a.clientOf(name, pkix.Name{CommonName: name, Organization: []string{"Example"}}.ToRDNSequence())
}

// clientOf makes a client's certificate with these RDNs, in order.
func (a *authority) clientOf(name string, subject pkix.RDNSequence) tls.Certificate {
	a.t.Helper()
	raw, err := asn1.Marshal(subject)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, key := a.issue(&x509.Certificate{
		RawSubject: raw, DNSNames: []string{name + ".clients.example.com"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// write puts a PEM file into the gateway's directory.
func (a *authority) write(dir, name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// newTLSGateway prepares a gateway whose sites ask clients for certificates,
// and returns the `tls` line of such a site.
func newTLSGateway(t *testing.T, a *authority) (*gateway, string) {
	t.Helper()
	g := newGateway(t)
	cert, key := a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	g.Issuer = strings.Replace(g.Issuer, "http:", "https:", 1)
	g.API = strings.Replace(g.API, "http:", "https:", 1)
	return g, fmt.Sprintf("tls %s %s {\n\tclient_auth {\n\t\tmode verify_if_given\n\t\ttrust_pool file %s\n\t}\n}\n",
		a.write(g.dir, "server.pem", "CERTIFICATE", cert.Raw), a.write(g.dir, "server.key", "PRIVATE KEY", der),
		a.write(g.dir, "authority.pem", "CERTIFICATE", a.cert.Raw))
}

// present makes the gateway's client connect anew with a certificate, or with none.
func (g *gateway) present(a *authority, certs ...tls.Certificate) {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	g.client.CloseIdleConnections()
	g.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certs, MinVersion: tls.VersionTLS12}}
}

func TestCertificateBoundTokens(t *testing.T) {
	a := newAuthority(t)
	g, tlsLine := newTLSGateway(t, a)
	mine, another := a.client("worker"), a.client("another")
	err := g.load(gatewayOptions{
		Server: tlsLine + "log\noauth_server",
		API:    tlsLine + "bearer_auth {\n\taudience https://api.example.com\n}\nreverse_proxy UPSTREAM",
		Client: "mtls bound",
		OAuth:  "client bound {\n\ttype machine\n\tapis https://api.example.com\n\tsecret_hash " + g.Hash + "\n\tmtls bound\n}",
	})
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"bound"}, "client_secret": {testPassword}, "audience": {testAPI}}

	g.present(a)
	if answer := g.token(form); answer.Error != "invalid_request" {
		t.Errorf("a client without its certificate: %d %s", answer.status, answer.body)
	}
	_, document := g.do(g.request(g.url("/.well-known/openid-configuration"), nil))
	if !strings.Contains(document, `"tls_client_certificate_bound_access_tokens": true`) {
		t.Error("discovery does not say so")
	}
	g.present(a, mine)
	answer := g.token(form)
	if answer.AccessToken == "" || !strings.Contains(answer.body, `"token_type":"Bearer"`) {
		t.Fatalf("with it: %d %s", answer.status, answer.body)
	}
	login := g.login() // of a public client
	plain := g.machineToken()

	wantCall := func(name, token string, want int, headers ...string) {
		t.Helper()
		resp, _ := g.call("/orders", token, headers...)
		if resp.StatusCode != want {
			t.Errorf("%s: %d %v, want %d", name, resp.StatusCode, resp.Header, want)
		}
	}
	wantCall("the same certificate", answer.AccessToken, 200)
	wantCall("the same certificate, a person's token", login.AccessToken, 200)
	wantCall("a token that is not bound", plain, 200)
	next := g.refresh(login.RefreshToken)
	wantCall("after a refresh", next.AccessToken, 200)

	g.present(a, another)
	wantCall("another certificate", answer.AccessToken, 401)
	wantCall("another certificate, a person's token", login.AccessToken, 401)
	wantCall("another certificate, a token that is not bound", plain, 200)
	if stolen := g.refresh(next.RefreshToken); stolen.Error != "invalid_grant" {
		t.Errorf("a refresh with another certificate: %d %s", stolen.status, stolen.body)
	}

	g.present(a)
	wantCall("no certificate", answer.AccessToken, 401)
	pemText := url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: mine.Certificate[0]})))
	for _, header := range []string{"X-SSL-Client-Cert", "X-Client-Cert", "X-Forwarded-Client-Cert", "Client-Cert"} {
		wantCall("CLI-17 "+header, answer.AccessToken, 401, header, pemText)
	}
	if stolen := g.refresh(next.RefreshToken); stolen.Error != "invalid_request" {
		t.Errorf("a refresh without a certificate: %d %s", stolen.status, stolen.body)
	}

	g.present(a, mine)
	if again := g.refresh(next.RefreshToken); again.AccessToken == "" {
		t.Errorf("a thief has ended the login: %d %s", again.status, again.body)
	}
}

// RFC 8705 §2.1 and §2.2: a certificate in the place of a secret.
func TestClientsByCertificate(t *testing.T) {
	a := newAuthority(t)
	g, tlsLine := newTLSGateway(t, a)
	worker, another := a.client("worker"), a.client("another")
	fake := (&authority{t: t}).client("worker") // by no authority at all, with the same names
	fingerprint := sha256.Sum256(fake.Certificate[0])
	client := func(id, lines string) string {
		return "client " + id + " {\n\ttype machine\n\tapis https://api.example.com\n\tmtls {\n\t\t" + lines + "\n\t}\n}\n"
	}
	options := gatewayOptions{OAuth: client("by-subject", `subject "CN=worker,O=Example"`) +
		client("by-name", "san_dns worker.clients.example.com\n\t\tbound") +
		client("by-both", "subject CN=worker,O=Example\n\t\tsan_dns another.clients.example.com") +
		client("by-fingerprint", "fingerprint "+hex.EncodeToString(fingerprint[:]))}
	options.Server = tlsLine + "oauth_server"
	if err := g.load(options); err != nil {
		t.Fatal(err)
	}
	check := func(name string, allowed ...string) {
		t.Helper()
		for _, id := range []string{"by-subject", "by-name", "by-both", "by-fingerprint"} {
			answer := g.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "audience": {testAPI}})
			if ok := answer.AccessToken != ""; ok != slices.Contains(allowed, id) || !ok && answer.Error != "invalid_client" {
				t.Errorf("%s, %s: %d %s", name, id, answer.status, answer.body)
			}
		}
		if answer := g.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {"worker"}, "audience": {testAPI}}); answer.Error != "invalid_client" {
			t.Errorf("%s, a client with a secret: %d %s", name, answer.status, answer.body)
		}
	}
	g.present(a)
	check("no certificate")
	g.present(a, worker)
	check("the worker's", "by-subject", "by-name")
	_, document := g.do(g.request(g.url("/.well-known/openid-configuration"), nil))
	for _, method := range []string{`"tls_client_auth"`, `"self_signed_tls_client_auth"`} {
		if !strings.Contains(document, method) {
			t.Errorf("discovery has no %s", method)
		}
	}
	g.present(a, another)
	check("another's")
	// A13: another's, which has more parts, or the same ones in another order.
	part := func(arc int, value string) pkix.RelativeDistinguishedNameSET {
		return pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, arc}, Value: value}}
	}
	organization, commonName := part(10, "Example"), part(3, "worker")
	g.present(a, a.clientOf("twin", pkix.RDNSequence{organization, commonName}))
	check("one of the same name", "by-subject")
	g.present(a, a.clientOf("twin", pkix.RDNSequence{organization, part(3, "twin"), commonName}))
	check("one of two CNs")
	g.present(a, a.clientOf("twin", pkix.RDNSequence{commonName, organization}))
	check("one in another order")
	g.present(a, a.clientOf("twin", pkix.RDNSequence{organization, commonName, part(11, "guests")}))
	eventually(t, "the log says whose certificate was refused", func() bool { // of the same refusal one a second
		check("one of a part more")
		return strings.Contains(strings.ToLower(g.logs()), "ou=guests")
	})

	// Where Caddy asks for certificates and verifies none, what they say counts for nothing.
	options.Server = strings.Replace(tlsLine, "verify_if_given", "request", 1) + "oauth_server"
	options.Server = regexp.MustCompile(`\n\t\ttrust_pool .*`).ReplaceAllString(options.Server, "")
	if err := g.load(options); err != nil {
		t.Fatal(err)
	}
	g.present(a, fake)
	check("a self-made one", "by-fingerprint")
	g.present(a, worker)
	check("the worker's, not verified")
}
