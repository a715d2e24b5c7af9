// Package fetch gets documents and keys of other issuers over HTTP, within bounds of
// time and size. It knows no tokens: package jwks says when to fetch, and keeps what
// was good.
//
// Begin reading at KeyFetcher. See RFC 8414 §3 and RFC 7517 §5.
package fetch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// KeyFetcher gets the JWK set of another issuer. Fetch is a jwks.Fetch;
// it is called by one goroutine at a time.
type KeyFetcher struct {
	source  KeySource
	resolve func(string) (string, error)

	discovered string // jwks_uri
	until      time.Time
}

// NewKeyFetcher makes a KeyFetcher. Resolve makes the value of the source's header, each
// time that it is sent; nil is as it is written. It does no I/O.
func NewKeyFetcher(source KeySource, resolve func(string) (string, error)) *KeyFetcher {
	return &KeyFetcher{source: source, resolve: resolve}
}

// discoveryLifetime is how long a jwks_uri of the metadata is used. A fetch
// that fails asks again at once.
const discoveryLifetime = time.Hour

// Fetch gets the JWK set and how long its server says that it may be kept,
// negative where it says nothing. See RFC 7517 §5, RFC 9111 §5.2.2.1.
func (f *KeyFetcher) Fetch(ctx context.Context) ([]byte, time.Duration, error) {
	if !f.source.Remote() {
		return f.source.local()
	}
	address := f.source.JWKSURI
	if address == "" {
		var err error
		if address, err = f.discover(ctx); err != nil {
			return nil, 0, err
		}
	}
	document, header, err := f.get(ctx, address)
	if err != nil {
		f.until = time.Time{}
		return nil, 0, fmt.Errorf("fetching key set: %w", err)
	}
	return document, maxAgeOf(header), nil
}

// discover finds the jwks_uri in the issuer's metadata: OpenID Connect
// Discovery §4 first, which nearly all issuers have, then RFC 8414 §3.
func (f *KeyFetcher) discover(ctx context.Context) (string, error) {
	if time.Now().Before(f.until) {
		return f.discovered, nil
	}
	places, err := metadataPlaces(f.source.Issuer)
	if err != nil {
		return "", err
	}
	var failures []error
	for _, place := range places {
		document, _, err := f.get(ctx, place)
		if err == nil {
			var address string
			if address, err = f.readMetadata(document); err == nil {
				f.discovered, f.until = address, time.Now().Add(discoveryLifetime)
				return address, nil
			}
		}
		failures = append(failures, fmt.Errorf("%s: %w", place, err))
	}
	return "", fmt.Errorf("discovering jwks_uri: %w", errors.Join(failures...))
}

// metadataPlaces are the addresses of an issuer's metadata: behind its path for
// OpenID Connect, between host and path for RFC 8414 §3.1.
func metadataPlaces(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("reading issuer: %w", err)
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	return []string{
		serverOf(u) + path + "/.well-known/openid-configuration",
		serverOf(u) + "/.well-known/oauth-authorization-server" + path,
	}, nil
}

// readMetadata takes the jwks_uri out of a document that is the issuer's own
// (RFC 8414 §3.3).
func (f *KeyFetcher) readMetadata(document []byte) (string, error) {
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(document, []byte("\xef\xbb\xbf")), &metadata); err != nil {
		return "", errors.New("the document is not JSON")
	}
	if metadata.Issuer != f.source.Issuer {
		return "", fmt.Errorf("the document names the issuer %q", metadata.Issuer)
	}
	return metadata.JWKSURI, nil
}

// get gets one document of at most 1 MiB, unpacked. Its time is that of ctx.
func (f *KeyFetcher) get(ctx context.Context, address string) ([]byte, http.Header, error) {
	client := f.source.client()
	if err := f.source.reachable(address); err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	if err := f.authenticate(r, address); err != nil {
		return nil, nil, err
	}
	return Document(client, r)
}

// StatusError is an answer other than 200.
type StatusError struct {
	Code   int // of HTTP
	Status string
}

// Error says which.
func (e *StatusError) Error() string { return "the answer is " + e.Status }

// Document sends a request by a client of NewClient and returns the answer of at most
// 1 MiB, unpacked, and its header. Errors: a *StatusError, without the body's text, or what
// became of the connection.
func Document(client *http.Client, r *http.Request) ([]byte, http.Header, error) {
	r.Header.Set("User-Agent", "Gatehouse")
	res, err := client.Do(r) //nolint:gosec // the client decides where it connects to
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, res.Header, &StatusError{Code: res.StatusCode, Status: res.Status}
	}
	// The limit counts what comes out of a compressed answer.
	document, err := readBounded(res.Body)
	return document, res.Header, err
}

func readBounded(from io.Reader) ([]byte, error) {
	document, err := io.ReadAll(io.LimitReader(from, jose.MaxSetBytes+1))
	if err == nil && len(document) > jose.MaxSetBytes {
		err = tooLargeError(jose.MaxSetBytes)
	}
	return document, err
}

// authenticate sets the header that the issuer's own server asks for. What its metadata
// names elsewhere gets none: it is a secret.
func (f *KeyFetcher) authenticate(r *http.Request, address string) error {
	if f.source.HeaderName == "" {
		return nil
	}
	at := cmp.Or(f.source.JWKSURI, f.source.Issuer)
	if own, err := url.Parse(at); err != nil || own.Scheme != r.URL.Scheme || own.Host != r.URL.Host {
		return fmt.Errorf("%s is not where the header %s is for: write its jwks_uri", address, f.source.HeaderName)
	}
	value := f.source.HeaderValue
	if f.resolve != nil {
		var err error
		if value, err = f.resolve(value); err != nil {
			return fmt.Errorf("reading the header %s: %w", f.source.HeaderName, err)
		}
	}
	r.Header.Set(f.source.HeaderName, value)
	return nil
}

// maxAgeOf reads how long an answer may be kept, negative where it does not say.
// See RFC 9111 §4.2.1, §5.1, §5.2.2 and §5.3.
func maxAgeOf(h http.Header) time.Duration {
	maxAge := time.Duration(-1)
	for _, line := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return 0
			case "max-age":
				seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
				if err != nil {
					continue
				}
				maxAge = time.Duration(seconds) * time.Second
			}
		}
	}
	if maxAge < 0 && len(h["Expires"]) > 0 {
		maxAge = untilExpires(h)
	}
	if age, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil && maxAge > 0 {
		maxAge = max(0, maxAge-time.Duration(age)*time.Second)
	}
	return maxAge
}

// untilExpires is the time from Date to Expires, by the server's own clock. A
// date that cannot be read has passed. See RFC 9111 §5.3.
func untilExpires(h http.Header) time.Duration {
	expires, err := http.ParseTime(h.Get("Expires"))
	if err != nil {
		return 0
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		date = time.Now()
	}
	return max(0, expires.Sub(date))
}
