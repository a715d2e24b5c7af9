package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// loginByDevice shows a code that the person types at another device, and asks
// until they have answered there. See RFC 8628.
func (p *program) loginByDevice(ctx context.Context, c *client) (token *oauth2.Token, nonce string, err error) {
	device, err := c.DeviceAuth(ctx, oauth2.SetAuthURLParam("audience", p.api))
	if err != nil {
		return nil, "", fmt.Errorf("asking for a code: %w", err)
	}
	fmt.Fprintf(p.say, "Open %s and enter the code\n\n  %s\n\nor open %s\n\n", device.VerificationURI, device.UserCode, device.VerificationURIComplete)
	ctx, cancel := context.WithDeadline(ctx, device.Expiry)
	defer cancel()
	for {
		token, err := c.DeviceAccessToken(ctx, device) // waits, and slows down when it is told to
		refused, ok := errors.AsType[*oauth2.RetrieveError](err)
		switch {
		case err == nil:
			return token, "", nil
		case ok && refused.ErrorCode == "access_denied":
			return nil, "", errors.New("signing in: you said no")
		case ctx.Err() != nil || ok && refused.ErrorCode == "expired_token":
			return nil, "", errors.New("signing in: nobody has entered the code in time")
		case ok && !later(refused.Response):
			return nil, "", fmt.Errorf("signing in: %w", err)
		}
		fmt.Fprintln(p.say, "The gateway cannot be reached at this moment; trying again.")
		select {
		case <-time.After(time.Duration(max(device.Interval, 5)) * time.Second):
		case <-ctx.Done():
		}
	}
}

// later reports whether a refusal says nothing about the request, only that it
// came at a bad moment.
func later(resp *http.Response) bool {
	return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= http.StatusInternalServerError
}
