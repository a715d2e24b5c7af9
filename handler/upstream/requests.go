package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// newClient makes the client by which the provider is asked; it asks for JSON and
// notes the provider's clock.
func (c *Config) newClient(clock *clockDifference) *http.Client {
	client := fetch.NewClient(fetch.Access{AllowPrivate: c.AllowPrivate, Home: c.home(), Clear: c.clear(), Roots: c.Roots})
	client.Transport = &jsonAsker{next: &clockReader{next: client.Transport, now: c.Clock, to: clock}}
	return client
}

// jsonAsker asks for JSON where a request does not say what it takes: x/oauth2 does not,
// and GitHub's token endpoint answers such a request with a form, errors too.
type jsonAsker struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (j *jsonAsker) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Accept") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Accept", "application/json")
	}
	return j.next.RoundTrip(r)
}

// clockDifference is by how much the provider's clock was ahead of ours in its last answer.
type clockDifference struct{ ahead atomic.Int64 }

func (d *clockDifference) value() time.Duration { return time.Duration(d.ahead.Load()) }

// clockReader reads the Date of answers (RFC 9110 §6.6.1).
type clockReader struct {
	next http.RoundTripper
	now  func() time.Time
	to   *clockDifference
}

// RoundTrip implements http.RoundTripper.
func (c *clockReader) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err == nil {
		if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
			c.to.ahead.Store(int64(date.Sub(c.now()).Round(time.Second)))
		}
	}
	return res, err
}

// withoutURL is what became of a request, without its address, whose query may be a secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// maxMembers bounds an object of a provider on all levels together.
const maxMembers = 8192

// readObject reads a JSON object strictly: exact names, none twice, UTF-8 (RFC 8725 §3.7).
// Numbers are json.Number.
func readObject(text []byte) (map[string]any, error) {
	r, err := jose.ReadJSON(text)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r.MaxMembers = maxMembers
	object, err := r.Object()
	if err != nil {
		return nil, err
	}
	return object, r.End()
}

// providerText is text of a provider as it may stand in a log: short, printable, and
// without what was sent to it in confidence.
func providerText(text string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) > 3 {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return oauth.Printable(cutText(text, 200))
}

// cutText cuts a text after so many characters.
func cutText(text string, characters int) string {
	n := 0
	for i := range text {
		if n == characters {
			return text[:i]
		}
		n++
	}
	return text
}

// aheadText says how clocks differ, for a log.
func aheadText(ahead time.Duration) string {
	switch {
	case ahead > 0:
		return fmt.Sprintf("the provider's clock is %s ahead of ours", ahead)
	case ahead < 0:
		return fmt.Sprintf("the provider's clock is %s behind ours", -ahead)
	}
	return "the clocks agree"
}
