package guard

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// StepUp is how a person must have logged in for a request to pass. See RFC 9470.
type StepUp struct {
	ACR    []string         // the token's acr must be one of them; none for any
	MaxAge time.Duration    // how long ago the login may be; 0 for any time
	Clock  func() time.Time // nil is time.Now
}

var errStepUp = &oauth.Error{
	Code: oauth.InsufficientUserAuthentication, Reason: oauth.ReasonStepUp,
	Description: "A stronger or more recent login is needed.",
}

// check compares the login behind a token with what is wanted. A token that
// does not say how or when its user logged in is not enough.
func (s StepUp) check(c *verify.Claims) error {
	if len(s.ACR) > 0 && !slices.Contains(s.ACR, c.ACR) {
		return errStepUp.With(oauth.Mismatch{Sent: c.ACR, Registered: s.ACR, Option: "acr"})
	}
	if s.MaxAge == 0 {
		return nil
	}
	now := time.Now
	if s.Clock != nil {
		now = s.Clock
	}
	if c.AuthTime.IsZero() || now().After(c.AuthTime.Add(s.MaxAge+oauth.DefaultLeeway)) {
		return errStepUp.With(oauth.Mismatch{Sent: loginTime(c), Registered: []string{s.MaxAge.String()}, Option: "max_age"})
	}
	return nil
}

// loginTime says when the login behind a token was, as far as the token says so.
func loginTime(c *verify.Claims) string {
	if c.AuthTime.IsZero() {
		return ""
	}
	return c.AuthTime.UTC().Format(time.RFC3339)
}

// parameters tell the client what to ask the authorization server for. See RFC 9470 §3.
func (s StepUp) parameters() string {
	var b strings.Builder
	if len(s.ACR) > 0 {
		b.WriteString(`, acr_values="` + wire.Quotable(strings.Join(s.ACR, " ")) + `"`)
	}
	if s.MaxAge > 0 {
		b.WriteString(`, max_age="` + strconv.Itoa(int(s.MaxAge/time.Second)) + `"`)
	}
	return b.String()
}
