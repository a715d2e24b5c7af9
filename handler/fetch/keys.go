// Package fetch gets documents and keys of other issuers over HTTP, within bounds of
// time and size. It knows no tokens: package jwks says when to fetch, and keeps what
// was good.
//
// Begin reading at KeyFetcher. See RFC 8414 §3 and RFC 7517 §5.
package fetch

import (
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
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// KeySource says where the keys of another issuer are.
type KeySource struct {
	Issuer string
	// JWKSURI is the address of its JWK set; "" asks the issuer's metadata.
	JWKSURI string
	// AllowPrivate lets it be at a private, loopback or link-local address, and
	// lets http be used with a host of this machine.
	AllowPrivate bool
}

// KeyFetcher gets the JWK set of another issuer. Fetch is a jwks.Fetch;
// it is called by one goroutine at a time.
type KeyFetcher struct {
	source KeySource
	client *http.Client

	discovered string // jwks_uri
	until      time.Time
}

// NewKeyFetcher makes a KeyFetcher. It does no I/O.
func NewKeyFetcher(source KeySource) *KeyFetcher {
	return &KeyFetcher{source: source, client: outboundClient(source.AllowPrivate)}
}

// discoveryLifetime is how long a jwks_uri of the metadata is used. A fetch
// that fails asks again at once.
const discoveryLifetime = time.Hour

// Fetch gets the JWK set and how long its server says that it may be kept,
// negative where it says nothing. See RFC 7517 §5, RFC 9111 §5.2.2.1.
func (f *KeyFetcher) Fetch(ctx context.Context) ([]byte, time.Duration, error) {
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
	if err := json.Unmarshal(document, &metadata); err != nil {
		return "", errors.New("the document is not JSON")
	}
	if metadata.Issuer != f.source.Issuer {
		return "", fmt.Errorf("the document names the issuer %q", metadata.Issuer)
	}
	return metadata.JWKSURI, nil
}

// get gets one document of at most 1 MiB, unpacked. Its time is that of ctx.
func (f *KeyFetcher) get(ctx context.Context, address string) ([]byte, http.Header, error) {
	if err := f.checkAddress(address); err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	r.Header.Set("User-Agent", "Gatehouse")
	res, err := f.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("the answer is %s", res.Status)
	}
	// The limit counts what comes out of a compressed answer.
	document, err := io.ReadAll(io.LimitReader(res.Body, jose.MaxSetBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if len(document) > jose.MaxSetBytes {
		return nil, nil, errors.New("the response is larger than 1 MiB")
	}
	return document, res.Header, nil
}

// checkAddress refuses an address that is not encrypted, unless it is of this machine.
func (f *KeyFetcher) checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return fmt.Errorf("%q is not an https URL", address)
	case u.Scheme == "https":
	case u.Scheme == "http" && f.source.AllowPrivate && oauth.IsLoopbackHost(u.Hostname()):
	default:
		return fmt.Errorf("%q is not an https URL", address)
	}
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
