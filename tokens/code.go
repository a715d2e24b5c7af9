package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// codeLifetime is how long an authorization code is good for. See RFC 6749 §4.1.2.
const codeLifetime = 60 * time.Second

// retryWindow is how soon after its first use a code may come again without
// being taken for stolen: an SDK that lost the answer tries again at once.
const retryWindow = time.Second

// codeBody is what the store keeps of a code: what it is bound to and what it grants.
type codeBody struct {
	Client        string    `json:"client"`
	RedirectURI   string    `json:"redirect_uri"`
	RedirectGiven bool      `json:"redirect_given,omitempty"`
	Challenge     string    `json:"challenge"`
	Nonce         string    `json:"nonce,omitempty"`
	Grant         Grant     `json:"grant"`
	AuthTime      int64     `json:"auth_time"` // seconds
	Session       SessionID `json:"session"`
}

// IssueCode makes the authorization code for a request and a login.
// See RFC 6749 §4.1.2.
func (i *Issuer) IssueCode(ctx context.Context, a *Authorization, l *Login) (string, error) {
	key, err := i.random16()
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(codeBody{
		Client:        a.ClientID,
		RedirectURI:   a.RedirectURI,
		RedirectGiven: a.RedirectGiven,
		Challenge:     a.Challenge,
		Nonce:         a.Nonce,
		Grant:         Grant{Scopes: a.Scopes, Audiences: a.Audiences},
		AuthTime:      l.Session.AuthTime.Unix(),
		Session:       l.Session.ID,
	})
	if err != nil {
		return "", fmt.Errorf("encoding code: %w", err)
	}
	ref := reference{user: l.Session.User, key: key}
	kept, err := i.state.Store.PutCode(ctx, PutRequest{
		User: ref.user, ID: CodeKey(key).ID(), Session: l.Session.ID, Body: body, Lifetime: codeLifetime,
	})
	if err != nil {
		return "", unavailable(err)
	}
	if !kept {
		return "", refuse(LoginRequired, ReasonRevoked, "The person has just signed out.")
	}
	i.observe(ctx, Event{Kind: EventCodeIssued, Outcome: "ok", Client: a.ClientID, Subject: l.Profile.Subject, User: ref.user})
	return ref.text(i.state.secrets(), PurposeCode), nil
}

const badCode = "The authorization code is unknown, expired or already used, or does not belong to this request."

// exchangeCode is the authorization code grant. See RFC 6749 §4.1.3, RFC 7636 §4.6.
func (i *Issuer) exchangeCode(ctx context.Context, c *Client, r TokenRequest) (*TokenResponse, error) {
	ref, err := i.checkCodeRequest(ctx, c, r)
	if err != nil {
		return nil, err
	}
	keys, err := i.signers(c, true)
	if err != nil {
		return nil, err
	}
	res, err := i.takeCode(ctx, c, ref)
	if err != nil {
		return nil, err
	}
	if res.Outcome == CodeUnknown {
		return nil, refuse(InvalidGrant, ReasonCodeUnknown, badCode)
	}
	var body codeBody
	if err := json.Unmarshal(res.Body, &body); err != nil {
		return nil, unavailable(fmt.Errorf("reading code: %w", err))
	}
	bound := body.boundTo(c, r)
	if res.Outcome == CodeSpent {
		return nil, i.codeReused(ctx, c, ref, bound == nil && res.Now.Sub(res.TakenAt) < retryWindow)
	}
	if bound != nil {
		return nil, bound // and the code is burned: a verifier cannot be guessed
	}
	m, err := i.redeem(ctx, c, r, ref, body, res)
	if err != nil {
		return nil, err
	}
	m.keys = keys
	return i.mint(ctx, m)
}

// takeCode lets the store decide who gets the code.
func (i *Issuer) takeCode(ctx context.Context, c *Client, ref reference) (TakeResult, error) {
	watermark, err := i.state.Denylist.ClientWatermark(ctx, c.tag)
	if err != nil {
		return TakeResult{}, err
	}
	attempt, err := i.attempt()
	if err != nil {
		return TakeResult{}, err
	}
	ctx, done := decisive(ctx)
	defer done()
	res, err := i.state.Store.TakeCode(ctx, TakeRequest{
		User: ref.user, ID: CodeKey(ref.key).ID(), Client: c.tag, BegunAfter: watermark, DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err != nil {
		return res, unavailable(err)
	}
	return res, nil
}

// checkCodeRequest refuses what needs no look at the store.
func (i *Issuer) checkCodeRequest(ctx context.Context, c *Client, r TokenRequest) (reference, error) {
	if _, err := i.targets(c, r.Audiences); err != nil {
		return reference{}, err
	}
	switch {
	case r.Code == "":
		return reference{}, invalidRequest("code is missing.")
	case r.CodeVerifier == "":
		return reference{}, refuse(InvalidGrant, ReasonBadVerifier, "code_verifier is missing.")
	case !validVerifier(r.CodeVerifier):
		return reference{}, refuse(InvalidRequest, ReasonBadVerifier, "code_verifier must be 43 to 128 unreserved characters.")
	}
	ref, secret, ok := parseReference(i.state.secrets(), PurposeCode, r.Code)
	if !ok {
		return reference{}, refuse(InvalidGrant, ReasonBadMAC, badCode)
	}
	i.noteSecret(ctx, secret)
	return ref, nil
}

// boundTo returns why a code is not this client's, request's and verifier's.
func (b *codeBody) boundTo(c *Client, r TokenRequest) error {
	switch {
	case b.Client != c.ID:
		return refuse(InvalidGrant, ReasonClientMismatch, badCode)
	case !verifies(r.CodeVerifier, b.Challenge):
		return refuse(InvalidGrant, ReasonBadVerifier, badCode)
	case (b.RedirectGiven || r.RedirectURI != "") && r.RedirectURI != b.RedirectURI:
		return refuse(InvalidGrant, ReasonCodeMismatch, badCode)
	}
	return nil
}

// codeReused refuses a code that was taken before, and unless it is the
// client's own quick retry ends what the code has begun, or will begin late.
// See RFC 6749 §4.1.2 and RFC 9700 §4.5.
func (i *Issuer) codeReused(ctx context.Context, c *Client, ref reference, retry bool) error {
	if !retry {
		family := CodeKey(ref.key).FamilyKey().ID()
		if _, err := i.end(ctx, EndRequest{User: ref.user, Scope: EndFamily, Family: family}); err != nil {
			return err
		}
		i.observe(ctx, Event{
			Kind: EventCodeReuse, Outcome: string(ReasonCodeSpent), GrantType: GrantAuthorizationCode,
			Client: c.ID, User: ref.user, Family: family,
		})
	}
	return refuse(InvalidGrant, ReasonCodeSpent, badCode)
}

// redeem begins what a code that is ours was made for.
func (i *Issuer) redeem(ctx context.Context, c *Client, r TokenRequest, ref reference, body codeBody, res TakeResult) (mint, error) {
	profile, err := parseProfile(res.Profile)
	if err != nil {
		return mint{}, unavailable(err)
	}
	if profile.Fingerprint != i.cfg.Accounts.Fingerprint(ref.user) {
		return mint{}, refuse(InvalidGrant, ReasonUserChanged, badCode)
	}
	audience, ok, err := i.pickAudience(c, body.Grant, r.Audiences, i.registered)
	if err != nil {
		return mint{}, err
	}
	if !ok {
		return mint{}, refuse(InvalidGrant, ReasonWrongAudience, badCode) // the client has lost its APIs since
	}
	scopes := i.grantable(c, body.Grant.Scopes, body.Grant.Audiences)
	key := CodeKey(ref.key).FamilyKey()
	m := mint{
		grant: GrantAuthorizationCode, client: c, profile: profile, audience: audience, scopes: i.scopesFor(c, scopes, audience), issueAt: res.IssueAt,
		authTime: time.Unix(body.AuthTime, 0), session: body.Session, family: key.ID(), nonce: body.Nonce,
	}
	if slices.Contains(scopes, ScopeOfflineAccess) {
		created, err := i.createFamily(ctx, c, ref.user, key, body)
		if err != nil {
			return mint{}, err
		}
		m.issueAt = created.IssueAt
		m.refresh = i.refreshText(c, ref.user, key, created.Family)
	}
	m.idToken = slices.Contains(body.Grant.Scopes, ScopeOpenID)
	return m, nil
}

// createFamily begins the family that the code was made for.
func (i *Issuer) createFamily(ctx context.Context, c *Client, user UserTag, key FamilyKey, body codeBody) (CreateResult, error) {
	grant, err := i.state.grants.put(ctx, body.Grant)
	if err != nil {
		return CreateResult{}, unavailable(err)
	}
	watermark, err := i.state.Denylist.ClientWatermark(ctx, c.tag)
	if err != nil {
		return CreateResult{}, err
	}
	attempt, err := i.attempt()
	if err != nil {
		return CreateResult{}, err
	}
	ctx, done := decisive(ctx)
	defer done()
	res, err := i.state.Store.CreateFamily(ctx, CreateRequest{
		User: user, ID: key.ID(), Client: c.tag, Grant: grant,
		Session: body.Session, AuthTime: time.Unix(body.AuthTime, 0),
		Lifetime: c.Refresh.Lifetime, IdleLifetime: c.Refresh.IdleLifetime, MaxActive: c.Refresh.MaxActive,
		BegunAfter: watermark, DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err != nil || len(res.Evicted) > 0 {
		i.state.Denylist.Changed(user)
	}
	if err != nil {
		return res, unavailable(err)
	}
	for _, id := range res.Evicted {
		i.observe(ctx, Event{Kind: EventFamilyEvicted, Outcome: "max_active", Client: c.ID, User: user, Family: id})
	}
	if !res.Created {
		return res, refuse(InvalidGrant, ReasonCodeSpent, badCode)
	}
	return res, nil
}
