package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
)

// ClientDocuments returns how the metadata of clients is fetched, and their keys. Strangers
// choose the address: so it is one request over https to a public address, without a redirect,
// a proxy or a cookie, for JSON of at most clientdoc.MaxBytes, unpacked. AllowPrivate admits
// private addresses, and roots says who may vouch for the servers (nil are whom the system
// trusts). See draft-ietf-oauth-client-id-metadata-document §5 and §6.
func ClientDocuments(allowPrivate bool, roots func() (*x509.CertPool, error)) clientdoc.Fetch {
	client := NewPoster(Access{AllowPrivate: allowPrivate, Roots: roots, Direct: true, MaxBytes: clientdoc.MaxBytes})
	return func(ctx context.Context, address string) (clientdoc.Fetched, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil || r.URL.Scheme != "https" {
			return clientdoc.Fetched{}, errNotHTTPS
		}
		r.Header.Set("Accept", "application/json")
		text, header, err := Document(client, r)
		if err != nil {
			return clientdoc.Fetched{}, whyNot(err, header)
		}
		if kind, _, _ := mime.ParseMediaType(header.Get("Content-Type")); kind != "application/json" && !strings.HasSuffix(kind, "+json") {
			return clientdoc.Fetched{}, fmt.Errorf("the answer is %.60q, and not application/json", header.Get("Content-Type"))
		}
		return clientdoc.Fetched{Text: text, MaxAge: maxAgeOf(header)}, nil
	}
}

// whyNot says what an answer without a document means. Some hosts keep out whoever comes from
// a data centre, and look as if they were broken: the header of such an answer is shown.
func whyNot(err error, header http.Header) error {
	status, ok := errors.AsType[*StatusError](err)
	switch {
	case !ok:
		return err
	case status.Code == http.StatusNotFound || status.Code == http.StatusGone:
		return fmt.Errorf("%w: %w", clientdoc.ErrGone, err)
	case header.Get("Cf-Mitigated") != "":
		return fmt.Errorf("%w, with cf-mitigated: %.30s: the host takes this gateway for a robot; pin its document with `document`", err, header.Get("Cf-Mitigated"))
	}
	return err
}
