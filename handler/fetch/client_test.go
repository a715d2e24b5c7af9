package fetch

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// F78: the host that the operator has named may be at a private address, no other.
func TestF78Home(t *testing.T) {
	var s *httptest.Server
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, 1<<20+1))
		case "/full":
			_, _ = w.Write(make([]byte, 1<<20))
		}
	}))
	t.Cleanup(s.Close)
	clear := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(clear.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	roots := func() (*x509.CertPool, error) { return pool, nil }
	other := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	for _, tt := range []struct {
		name   string
		access Access
		url    string
		want   string // of the error
	}{
		{"home", Access{Home: "127.0.0.1"}, s.URL, ""},
		{"another name", Access{Home: "127.0.0.1"}, other, "is private"},
		{"none", Access{}, s.URL, "is private"},
		{"all", Access{AllowPrivate: true}, s.URL, ""},
		{"a redirect away from home", Access{Home: "127.0.0.1"}, s.URL + "/away", "another host"},
		{"1 MiB", Access{Home: "127.0.0.1"}, s.URL + "/full", ""},
		{"more", Access{Home: "127.0.0.1"}, s.URL + "/large", "larger than 1 MiB"},
		{"http", Access{AllowPrivate: true}, clear.URL, "not an https URL"},
		{"http, allowed", Access{Clear: true}, clear.URL, ""},
		{"http at home, which is this machine", Access{Home: "127.0.0.1"}, clear.URL, ""},
		{"http on this machine from elsewhere", Access{Home: "idp.example"}, clear.URL, "not an https URL"},
		{"http, far away", Access{Clear: true}, "http://1.1.1.1/", "the address is public"},
		{"no roots", Access{Roots: func() (*x509.CertPool, error) { return nil, errors.New("no file") }}, s.URL, "no file"},
		{"a user", Access{AllowPrivate: true}, strings.Replace(s.URL, "//", "//u:p@", 1), "not an https URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.access.Roots == nil {
				tt.access.Roots = roots
			}
			res, err := NewClient(tt.access).Get(tt.url)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}
