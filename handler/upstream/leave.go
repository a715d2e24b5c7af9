package upstream

import (
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// Leaves implements login.Leaver.
func (o *OIDC) Leaves() bool { return o.cfg.KeepIDToken }

// LeaveURL implements login.Leaver. Auth0 and Cognito have words of their own, and send no
// state back.
func (o *OIDC) LeaveURL(l login.Leave) string {
	doc := o.published.held.Load()
	if !o.cfg.KeepIDToken || doc == nil || doc.EndSession == "" || l.IDToken == "" {
		return ""
	}
	u, err := url.Parse(doc.EndSession)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", o.cfg.ClientID)
	switch {
	case strings.HasSuffix(u.Path, "/v2/logout"):
		q.Set("returnTo", l.ReturnTo)
	case isCognito(o.cfg.Issuer):
		q.Set("logout_uri", l.ReturnTo)
	default:
		q.Set("id_token_hint", l.IDToken)
		q.Set("post_logout_redirect_uri", l.ReturnTo)
		q.Set("state", l.State)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// isCognito reports whether an issuer is a user pool of Cognito.
func isCognito(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && strings.HasPrefix(u.Hostname(), "cognito-idp.") && strings.HasSuffix(u.Hostname(), ".amazonaws.com")
}

var _ login.Leaver = (*OIDC)(nil)
