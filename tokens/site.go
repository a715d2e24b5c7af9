package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// siteRequestParam is the parameter of the authorization endpoint by which the guard of a
// site asks: all of the request, sealed. So nobody but a guard can ask for a site, and
// any node can answer, whether it has the site or not.
const siteRequestParam = "site_request"

// siteRequestLifetime is how long after a guard has sent the browser its request counts.
const siteRequestLifetime = 10 * time.Minute

// maxSiteSessions is how many browsers a person may be signed in with to one site, the
// oldest out.
const maxSiteSessions = 50

// siteTerms are what an authorization request of a site has and that of no application.
type siteTerms struct {
	Origin string     `json:"o"`
	Logins []string   `json:"l,omitempty"`
	Life   sites.Life `json:"t"`
	Keys   bool       `json:"k,omitempty"`

	key bool // it is about app keys, which are no sessions: the caps of both are apart
}

// client returns the client that the site is.
func (t siteTerms) client() *clients.Client {
	id, most := sites.ClientID(t.Origin), maxSiteSessions
	if t.key {
		id, most = sites.KeysID(t.Origin), maxSiteKeys
	}
	return clients.ForSite(id, t.Origin, t.Origin+sites.CallbackPath, t.Logins, clients.RefreshPolicy{
		Lifetime: t.Life.Absolute, IdleLifetime: t.Life.Idle, MaxActive: most,
	})
}

// Sites is the authorization server as the guards of sites know it, see handler/site.
type Sites struct{ issuer *Issuer }

// Sites returns what the guards of sites need.
func (i *Issuer) Sites() Sites { return Sites{i} }

// siteRequest is what siteRequestParam seals.
type siteRequest struct {
	siteTerms

	State     string   `json:"s"`
	Challenge string   `json:"c"`
	ACRs      []string `json:"a,omitempty"`
	MaxAge    int64    `json:"m,omitempty"` // seconds; 0 for none
	Choose    bool     `json:"p,omitempty"` // the person wants another account
	Expires   int64    `json:"e"`           // Unix seconds
}

// Begin returns the parameters with which a browser goes to the authorization endpoint.
func (s Sites) Begin(_ context.Context, r sites.Request) (url.Values, error) {
	body, err := json.Marshal(siteRequest{
		siteTerms: siteTerms{Origin: r.Origin, Logins: r.Logins, Life: r.Life, Keys: r.Keys}, State: r.State, Challenge: r.Challenge, ACRs: r.ACRs,
		MaxAge: int64(r.MaxAge / time.Second), Choose: r.OtherAccount, Expires: s.Now().Add(siteRequestLifetime).Unix(),
	})
	if err != nil {
		return nil, fmt.Errorf("sealing request of a site: %w", err)
	}
	return url.Values{
		"client_id":      {sites.ClientID(r.Origin)}, // for those who read logs
		siteRequestParam: {s.Seal(s.issuer.cfg.Issuer, useSiteRequest, body)},
	}, nil
}

// useSiteRequest is what the request of a guard is sealed for, at the issuer.
const useSiteRequest = "request"

// parseSiteRequest reads the authorization request of a guard. One that is too old is sent
// back to where it came from, which begins anew.
func (i *Issuer) parseSiteRequest(sealed string) (*Authorization, error) {
	body, ok := i.Sites().Open(i.cfg.Issuer, useSiteRequest, sealed)
	var r siteRequest
	if !ok || json.Unmarshal(body, &r) != nil {
		return nil, oauth.Refuse(oauth.InvalidRequest, oauth.ReasonMalformed, "This sign-in cannot be continued. Go back to the site and open it again.")
	}
	client := r.client()
	a := &Authorization{
		ClientID: client.ID, RedirectURI: client.RedirectURIs[0], RedirectGiven: true, ResponseMode: ModeQuery, State: r.State,
		Challenge: r.Challenge, MaxAge: -1, ACRs: r.ACRs, Site: &r.siteTerms,
	}
	if r.MaxAge > 0 {
		a.MaxAge = r.MaxAge
	}
	if r.Choose {
		a.Prompt = []string{PromptSelectAccount}
	}
	if i.storeNow().Unix() >= r.Expires {
		return a, oauth.Refuse(oauth.LoginRequired, oauth.ReasonExpired, "The request is too old.")
	}
	return a, nil
}

// Seal seals what a browser carries, for one use at one place. It returns base64url.
func (s Sites) Seal(place, use string, plain []byte) string {
	return storage.Encode(s.issuer.state.Secrets().Seal(secrets.PurposeSealSite, plain, sealedFor(place, use)))
}

// maxSealed is how long a sealed text may be to be looked at.
const maxSealed = 8 << 10

// Open reads what Seal returned for this use at this place.
func (s Sites) Open(place, use, text string) ([]byte, bool) {
	if len(text) > maxSealed {
		return nil, false
	}
	sealed, err := decodeSealed(text)
	if err != nil {
		return nil, false
	}
	plain, _, err := s.issuer.state.Secrets().Open(secrets.PurposeSealSite, sealed, sealedFor(place, use))
	return plain, err == nil
}

func sealedFor(place, use string) []byte { return []byte(use + " " + place) }

// Now returns the store's time.
func (s Sites) Now() time.Time { return s.issuer.storeNow() }

// upstreamScopes are those of an API that a person has, of what a guard asks for.
func (i *Issuer) upstreamScopes(api *clients.API, asked []string, p *Profile) []string {
	asked = slices.DeleteFunc(slices.Clone(asked), func(scope string) bool { return !slices.Contains(api.Scopes, scope) })
	return i.personScopes(asked, api.Identifier, p)
}
