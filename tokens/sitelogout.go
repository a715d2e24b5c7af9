package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// SiteLogoutParam is the parameter of the logout endpoint by which a site sends somebody on
// whose session it has ended, sealed: so that their provider can sign them out, too.
const SiteLogoutParam = "site_logout"

// siteLogoutLifetime is how long after a sign-out at a site its browser may come to the issuer.
const siteLogoutLifetime = time.Minute

// useSiteLogout is what the word of a site is sealed for, at the issuer.
const useSiteLogout = "logout"

// siteLogout is what SiteLogoutParam seals.
type siteLogout struct {
	Given   Given `json:"g"`
	Expires int64 `json:"e"` // Unix seconds
}

// End ends the single sign-on session that a session of a site came of, and all that came of
// it. It returns the parameters with which the browser goes to the issuer's logout endpoint.
func (s Sites) End(ctx context.Context, c *verify.Claims) (url.Values, error) {
	given, err := s.issuer.signOut(ctx, c.User, c.Session, true)
	if err != nil {
		return nil, err
	}
	login, _, _ := strings.Cut(c.Subject, "|")
	body, err := json.Marshal(siteLogout{
		Given: Given{IDToken: given.IDToken, Login: cmp.Or(given.Login, login)}, Expires: s.Now().Add(siteLogoutLifetime).Unix(),
	})
	if err != nil {
		return nil, fmt.Errorf("sealing sign-out of a site: %w", err)
	}
	return url.Values{SiteLogoutParam: {s.Seal(s.issuer.cfg.Issuer, useSiteLogout, body)}}, nil
}

// LeftSite reads what End has sealed: by which login somebody was signed in whose session has
// just ended, and what its provider gave, if anything; ok is false for everything else.
func (i *Issuer) LeftSite(sealed string) (g Given, ok bool) {
	body, ok := i.Sites().Open(i.cfg.Issuer, useSiteLogout, sealed)
	var l siteLogout
	if !ok || json.Unmarshal(body, &l) != nil || i.storeNow().Unix() >= l.Expires {
		return Given{}, false
	}
	return l.Given, true
}
