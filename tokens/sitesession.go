package tokens

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// The session of a person at a site is a family that does not rotate. Its cookie names it,
// sealed for the origin, and never changes: user tag, key, grant.
const (
	siteNameSize = 16 + 16 + 12
	// siteGeneration is the one generation of such a family.
	siteGeneration = 1
)

func decodeSealed(text string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().DecodeString(text)
}

// siteName writes which family a session or an app key is.
func siteName(t refreshToken) []byte {
	b := make([]byte, 0, siteNameSize)
	return append(append(append(b, t.user[:]...), t.family[:]...), t.grant[:]...)
}

// readSiteName reads what siteName wrote of a client.
func readSiteName(b []byte, client string) refreshToken {
	return refreshToken{
		user: storage.UserTag(b[:16]), family: storage.FamilyKey(b[16:32]), grant: storage.GrantID(b[32:siteNameSize]),
		client: storage.TagClient(client), generation: siteGeneration,
	}
}

// readSiteCookie reads the cookie of a session.
func (s Sites) readSiteCookie(origin, cookie string) (t refreshToken, ok bool) {
	b, ok := s.Open(origin, sites.UseSession, cookie)
	if !ok || len(b) != siteNameSize {
		return t, false
	}
	return readSiteName(b, sites.ClientID(origin)), true
}

// Finish redeems the code that a browser has brought to a site, and begins the session. The
// session that the browser had before ends. Errors are *oauth.Error.
func (s Sites) Finish(ctx context.Context, r sites.Return) (*sites.Begun, error) {
	i, c := s.issuer, siteTerms{Origin: r.Origin, Life: r.Life}.client()
	req := TokenRequest{GrantType: oauth.GrantAuthorizationCode, Code: r.Code, CodeVerifier: r.Verifier, RedirectURI: c.RedirectURIs[0]}
	ref, err := i.checkCodeRequest(ctx, c, req)
	if err != nil {
		return nil, i.refused(ctx, c, req, err)
	}
	t, err := tryCode(ctx, i, ref, func(ctx context.Context, attempt storage.Attempt) (refreshToken, error) {
		return i.beginSite(ctx, c, req, ref, attempt)
	})
	if err != nil {
		return nil, i.refused(ctx, c, req, err)
	}
	begun := &sites.Begun{Cookie: s.Seal(r.Origin, sites.UseSession, siteName(t)), Person: s.Seal(r.Origin, sites.UsePerson, t.user[:])}
	if before, ok := s.readSiteCookie(r.Origin, r.Replaces); ok && before.family != t.family {
		end := storage.EndRequest{User: before.user, Scope: storage.EndFamily, Family: before.family.ID()}
		if _, err := i.state.End(ctx, end, history.EndedBySignOut); err != nil {
			return nil, err
		}
		begun.Another = before.user != t.user
	}
	if user, ok := s.Open(r.Origin, sites.UsePerson, r.Person); ok && string(user) != string(t.user[:]) {
		begun.Another = true
	}
	return begun, nil
}

// beginSite takes a code and begins the family of a site's session.
func (i *Issuer) beginSite(ctx context.Context, c *clients.Client, req TokenRequest, ref reference, attempt storage.Attempt) (t refreshToken, err error) {
	body, res, err := i.takeOwn(ctx, c, req, ref, attempt)
	if err != nil {
		return t, err
	}
	profile, err := i.stillMay(c, ref, body, res)
	if err != nil {
		return t, err
	}
	key := storage.CodeKey(ref.key).FamilyKey()
	created, err := i.createFamily(ctx, c, ref.user, key, body, res, attempt)
	if err != nil {
		return t, err
	}
	i.observe(ctx, oauth.Event{Kind: oauth.EventSiteSession, Outcome: oauth.OutcomeOK, Client: c.ID, Subject: profile.Subject, User: ref.user, Family: key.ID()})
	return refreshToken{user: ref.user, family: key, client: c.Tag(), grant: created.Family.Grant, generation: siteGeneration}, nil
}

const deadSiteSession = "The session is over. Sign in again."

// Session asks the store about the session of a cookie: a refresh without rotation. Where it
// counts as used, its idle end moves. Errors are *oauth.Error.
func (s Sites) Session(ctx context.Context, origin, cookie string, life sites.Life, used bool) (*sites.Session, error) {
	t, ok := s.readSiteCookie(origin, cookie)
	if !ok {
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonBadMAC, deadSiteSession)
	}
	return s.issuer.siteSession(ctx, siteTerms{Origin: origin, Life: life}, t, used)
}

func (i *Issuer) siteSession(ctx context.Context, terms siteTerms, t refreshToken, used bool) (*sites.Session, error) {
	c := terms.client()
	grant, known, err := i.state.Grants.Get(ctx, t.grant, c.Refresh.KeepsGrants())
	switch {
	case err != nil:
		return nil, oauth.Unavailable(err)
	case !known || grant.Site != terms.Origin:
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonGrantUnknown, deadSiteSession)
	}
	asked, how := i.storeNow(), siteLook
	if used {
		how = siteUse
	}
	res, err := i.rotate(ctx, c, t, &storage.UnansweredRequest{User: t.user, Family: t.family.ID(), Presented: t.generation, Asked: asked}, how)
	if err != nil {
		return nil, err
	}
	p, err := parseProfile(res.Profile)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	if p, err = i.vouched(ctx, p, res.Family, t.user); err != nil {
		return nil, err
	}
	m := mint{
		grant: oauth.GrantRefreshToken, client: c, profile: p, issueAt: res.IssueAt, authTime: res.Family.AuthTime, acr: grant.ACR,
		session: res.Family.Session, family: t.family.ID(),
	}
	claims, err := i.siteClaims(m, res.Family)
	if err != nil {
		return nil, err
	}
	return &sites.Session{
		Claims: claims, Login: p.Login, Begun: res.Family.Created, Ends: res.Family.Ends(), Asked: asked,
		Token: func(ctx context.Context, api string, scopes []string) (string, time.Time, error) {
			return i.upstreamToken(ctx, m, api, scopes)
		},
	}, nil
}

// notClaims are names that mean something in a token of ours. A claim about a person that
// has one is left out of what a site hears.
var notClaims = []string{
	"iss", "sub", "aud", "azp", "client_id", "scope", "jti", "exp", "iat", "nbf", "cnf", "auth_time", "acr", "amr", "sid", "nonce",
	"token_use", "gty", "gh_fam", "gh_pw", ClaimGroups, ClaimUsername,
}

// ClaimUsername is what a site hears of a person beside what their login says: the subject
// without its login.
const ClaimUsername = "username"

// siteClaims says who a person is in the form in which access tokens do, so that a site is
// guarded by the same means. An address is there only where it is verified.
func (i *Issuer) siteClaims(m mint, f storage.Family) (*verify.Claims, error) {
	claims := make(map[string]any, len(m.profile.Claims)+len(notClaims))
	maps.Copy(claims, m.profile.Claims)
	for _, name := range notClaims {
		delete(claims, name)
	}
	if verified, _ := claims["email_verified"].(bool); !verified {
		delete(claims, "email")
		delete(claims, "email_verified")
	}
	_, claims[ClaimUsername], _ = strings.Cut(m.profile.Subject, "|")
	claims["iss"], claims["sub"], claims["aud"], claims["client_id"] = i.cfg.Issuer, m.profile.Subject, m.client.Origins[0], m.client.ID
	claims["jti"] = sites.UseSession // no token can be revoked by it
	claims["iat"], claims["exp"] = m.issueAt.Unix(), siteExpiry(f)
	claims["sid"], claims["gh_fam"] = m.session.String(), m.family.String()
	claims[ClaimGroups] = append([]string{}, i.groups(m.profile)...)
	if !m.authTime.IsZero() {
		claims["auth_time"] = m.authTime.Unix()
	}
	if m.acr != "" {
		claims["acr"] = m.acr
	}
	if i.cfg.Accounts.Lists(m.profile.user()) {
		claims["gh_pw"] = m.profile.Fingerprint.Mark().String()
	}
	payload, err := encode(claims)
	if err != nil {
		return nil, err
	}
	return verify.ParseClaims(payload, nil)
}

// siteExpiry is the absolute end of a session; each has one.
func siteExpiry(f storage.Family) int64 { return f.Expires.Unix() }

// Check returns nil for a session that nobody has ended since the store was asked about it,
// and whose person still stands: what CheckAccess asks about a token.
func (s Sites) Check(ctx context.Context, c *verify.Claims) error {
	if err := s.issuer.state.Denylist.Check(ctx, &c.Token); err != nil {
		return err
	}
	return s.issuer.people.Check(ctx, c)
}

// upstreamToken mints an access token of a person for an API behind a site.
func (i *Issuer) upstreamToken(ctx context.Context, m mint, audience string, scopes []string) (string, time.Time, error) {
	api, ok := i.API(audience)
	if !ok {
		return "", time.Time{}, fmt.Errorf("minting token for an upstream: there is no API %q", audience)
	}
	var err error
	if m.keys, err = i.signers(m.client, false); err != nil {
		return "", time.Time{}, err
	}
	m.audience, m.scopes = audience, i.upstreamScopes(api, scopes, m.profile)
	m.issueAt = storage.Later(m.issueAt, i.storeNow())
	token, err := i.mintAccess(m, api.AccessTokenLifetime)
	if err != nil {
		return "", time.Time{}, err
	}
	i.observe(ctx, oauth.Event{
		Kind: oauth.EventTokenIssued, Outcome: oauth.OutcomeOK, GrantType: m.grant, Client: m.client.ID,
		Subject: m.profile.Subject, User: m.profile.user(), Family: m.family,
	})
	return token, m.issueAt.Add(api.AccessTokenLifetime), nil
}
