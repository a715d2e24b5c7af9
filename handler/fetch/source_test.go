package fetch

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeFile makes a file in a folder of the test.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// G13: keys in a file, which is read again, and keys that are written out.
func TestLocalKeys(t *testing.T) {
	path := writeFile(t, "one")
	f := NewKeyFetcher(KeySource{File: path}, nil)
	for _, text := range []string{"one", "two"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if document, maxAge, err := f.Fetch(t.Context()); string(document) != text || maxAge != 0 || err != nil {
			t.Errorf("%s, %s, %v", document, maxAge, err)
		}
	}
	if document, maxAge, err := fetchKeys(t, KeySource{Document: "three"}); document != "three" || maxAge != 24*time.Hour || err != nil {
		t.Errorf("%s, %s, %v", document, maxAge, err)
	}
	for want, source := range map[string]KeySource{
		"no such file":            {File: path + "x"},
		"larger than 1 MiB":       {File: writeFile(t, strings.Repeat("x", 1<<20+1))},
		"reading ca":              {CA: path + "x"},
		"there is no certificate": {CA: path},
	} {
		if err := source.CheckFiles(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// G13, Kubernetes: a private CA, and a server that wants to know who asks. The token is read each time.
func TestKeysBehindAPrivateCAAndAToken(t *testing.T) {
	var wants string
	mux := http.NewServeMux()
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+wants {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"issuer":"` + s.URL + `","jwks_uri":"https://elsewhere.example.com/keys"}`))
	})
	ca := writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	source := KeySource{JWKSURI: s.URL + "/keys", AllowPrivate: true, CA: ca, HeaderName: "Authorization", HeaderValue: "Bearer TOKEN"}
	if err := source.CheckFiles(); err != nil {
		t.Fatal(err)
	}
	var token string
	f := NewKeyFetcher(source, func(text string) (string, error) {
		if token == "" {
			return "", errors.New("the file is gone")
		}
		return strings.ReplaceAll(text, "TOKEN", token), nil
	})
	for _, turn := range []string{"one", "two"} {
		token, wants = turn, turn
		if _, _, err := f.Fetch(t.Context()); err != nil {
			t.Errorf("%s: %v", turn, err)
		}
	}
	wants = "three"
	if _, _, err := f.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), token) {
		t.Errorf("another token: %v", err)
	}
	token = ""
	if _, _, err := f.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "the file is gone") {
		t.Errorf("no token: %v", err)
	}
	source.CA = ""
	if _, _, err := fetchKeys(t, source); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA: %v", err)
	}
	// The token goes to the issuer's own server alone.
	source.CA, source.JWKSURI, source.Issuer = ca, "", s.URL
	if _, _, err := fetchKeys(t, source); err == nil || !strings.Contains(err.Error(), "is not where the header Authorization is for") {
		t.Errorf("elsewhere: %v", err)
	}
}

// G6: http to a private address, and only where that is allowed.
func TestKeysInTheClear(t *testing.T) {
	s := newKeyServer(t)
	s.say("/keys", "{}")
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	for _, tt := range []struct {
		source KeySource
		want   string
	}{
		{KeySource{JWKSURI: s.URL + "/keys", AllowPrivate: true}, ""},
		{KeySource{JWKSURI: "http://localhost" + port + "/keys", AllowPrivate: true}, ""},
		{KeySource{JWKSURI: s.URL + "/keys"}, "is not an https URL"},
		{KeySource{JWKSURI: "http://1.1.1.1/keys", AllowPrivate: true}, "the address is public"},
		{KeySource{JWKSURI: "http://user@127.0.0.1" + port + "/keys", AllowPrivate: true}, "is not an https URL"},
	} {
		_, _, err := fetchKeys(t, tt.source)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: error %v, want %q in it", tt.source.JWKSURI, err, tt.want)
		}
	}
}
