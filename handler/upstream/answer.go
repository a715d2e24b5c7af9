package upstream

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// maxCode is how long a code may be, in bytes.
const maxCode = 4 << 10

// readAnswer checks what a browser has brought back, and returns its code. The order is
// that of RFC 9207 §2.4: nothing of another provider's answer counts, its errors neither.
func (c *Config) readAnswer(doc *metadata, d login.Departure, answer url.Values) (string, error) {
	for name, values := range answer {
		switch name {
		case "state", "iss", "error", "error_description", "code":
			if len(values) > 1 {
				return "", forged(reasonNoCode, "reading answer: %s is there twice", name)
			}
		}
	}
	if d.State == "" || subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(d.State)) != 1 {
		return "", forged(reasonState, "reading answer: the state is not the one that was sent")
	}
	if err := c.checkIssuer(doc, answer); err != nil {
		return "", err
	}
	if code := answer.Get("error"); code != "" {
		text := fmt.Errorf("reading answer: the provider says %q: %s", providerText(code), providerText(answer.Get("error_description")))
		return "", failed(failureOf(code, d.Asked), reasonError, text)
	}
	code := answer.Get("code")
	if code == "" || len(code) > maxCode || strings.ContainsFunc(code, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", forged(reasonNoCode, "reading answer: it has neither a code of at most %d bytes nor an error", maxCode)
	}
	return code, nil
}

// checkIssuer compares the iss of an answer where it comes, and demands it where the
// provider announces it (RFC 9207 §2.4, F20).
func (c *Config) checkIssuer(doc *metadata, answer url.Values) error {
	if !answer.Has("iss") {
		if doc.NamesIssuer && !c.NoIssuerCheck {
			return forged(reasonIssuer, "reading answer: it has no iss, which the provider announces: `issuer_check off` takes it without")
		}
		return nil
	}
	iss := answer.Get("iss")
	if iss == c.Issuer || c.IssuerAlias != "" && iss == c.IssuerAlias {
		return nil
	}
	for _, tenant := range c.Tenants {
		if iss == strings.ReplaceAll(c.Issuer, tenantMark, tenant) {
			return nil
		}
	}
	return failed(login.FailedForged, reasonIssuer, errors.New("reading answer: its iss is another provider's: "+providerText(iss)))
}

// failureOf says what an error of the authorization endpoint means for the person (RFC
// 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6, F09, F73).
func failureOf(code string, asked login.Asked) login.Failure {
	switch code {
	case "access_denied", "user_cancelled_authorize", "user_cancelled_login":
		return login.FailedCancelled
	case "temporarily_unavailable", "authentication_expired", "server_error":
		return login.FailedAgain
	case "unmet_authentication_requirements":
		return login.FailedNotMet
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		if asked.Again || asked.HasMaxAge || len(asked.ACRs) > 0 || asked.ID != "" {
			return login.FailedNotMet
		}
		return login.FailedAgain
	}
	return login.FailedBroken
}
