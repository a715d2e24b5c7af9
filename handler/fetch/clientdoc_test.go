package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
)

// SSRF in every form, and answers that are too much: H13, M-42, KEY-06. The address is checked
// when it is dialled, so that a name which changes in between changes nothing.
func TestH13M42ClientDocuments(t *testing.T) {
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	_, _ = packed.Write(bytes.Repeat([]byte(" "), 10<<20))
	_ = packed.Close()
	elsewhere := 0
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	t.Cleanup(other.Close)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("the request brings %v", r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "a=b")
		switch r.URL.Path {
		case "/full":
			_, _ = w.Write(bytes.Repeat([]byte(" "), clientdoc.MaxBytes))
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte(" "), clientdoc.MaxBytes+1))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/", http.StatusPermanentRedirect)
		case "/html":
			w.Header().Set("Content-Type", "text/html")
		case "/json+x":
			w.Header().Set("Content-Type", "application/client+json; charset=utf-8")
			w.Header().Set("Cache-Control", "max-age=600")
		case "/robot":
			w.Header().Set("Cf-Mitigated", "challenge")
			w.WriteHeader(http.StatusForbidden)
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/slow":
			<-r.Context().Done()
		}
	}))
	t.Cleanup(s.Close)
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	t.Setenv("HTTPS_PROXY", other.URL) // which nobody asks
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	roots := func() (*x509.CertPool, error) { return pool, nil }
	for _, tt := range []struct {
		name, address string
		private       bool
		want          string // of the error
	}{
		{"loopback", s.URL + "/", false, "is private"},
		{"a name that leads to it", "https://localhost" + port + "/", false, "is private"},
		{"IPv6", "https://[::1]" + port + "/", false, "is private"},
		{"mapped", "https://[::ffff:127.0.0.1]" + port + "/", false, "is private"},
		{"mapped, in hex", "https://[::ffff:7f00:1]" + port + "/", false, "is private"},
		{"NAT64", "https://[64:ff9b::7f00:1]" + port + "/", false, "is private"},
		{"6to4", "https://[2002:7f00:1::]" + port + "/", false, "is private"},
		{"a private network", "https://10.0.0.1/", false, "is private"},
		{"the metadata of a cloud", "https://169.254.169.254/latest", false, "is private"},
		{"nowhere", "https://0.0.0.0" + port + "/", false, "is private"},
		{"a file", "file:///etc/passwd", true, "not an https URL"},
		{"http", "http://127.0.0.1" + port + "/", true, "not an https URL"},
		{"allowed", s.URL + "/", true, ""},
		{"as large as may be", s.URL + "/full", true, ""},
		{"larger", s.URL + "/large", true, "larger than 64 KiB"},
		{"a bomb", s.URL + "/bomb", true, "larger than 64 KiB"},
		{"a redirect to another host", s.URL + "/away", true, "302"},
		{"a redirect", s.URL + "/here", true, "308"},
		{"HTML", s.URL + "/html", true, "not application/json"},
		{"another kind of JSON", s.URL + "/json+x", true, ""},
		{"a challenge", s.URL + "/robot", true, "cf-mitigated: challenge"},
		{"slow", s.URL + "/slow", true, "deadline"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			got, err := ClientDocuments(tt.private, roots)(ctx, tt.address)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, clientdoc.ErrGone)) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if tt.name == "another kind of JSON" && got.MaxAge != 10*time.Minute {
				t.Errorf("it may be kept for %s", got.MaxAge)
			}
		})
	}
	for _, path := range []string{"/gone", "/missing"} {
		if _, err := ClientDocuments(true, roots)(t.Context(), s.URL+path); !errors.Is(err, clientdoc.ErrGone) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if elsewhere != 0 {
		t.Errorf("another server was asked %d times", elsewhere)
	}
}
