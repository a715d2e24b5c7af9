package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// NewPoster makes a client as NewClient does that follows no redirect: what it is given to
// send is for the address that an operator has written, and for no other.
func NewPoster(a Access) *http.Client {
	client := NewClient(a)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// PostForm posts a form, whose answer has to be 200 or 204; what that says is not read. The
// error holds neither the form nor the query of the address.
func PostForm(ctx context.Context, client *http.Client, address string, form url.Values) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("posting form: the address is not a URL")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return fmt.Errorf("posting form to %s: %w", serverOf(r.URL), err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("posting form to %s: the response has status %d", serverOf(r.URL), res.StatusCode)
	}
	return nil
}
