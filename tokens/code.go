package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
	GrantKept     bool      `json:"grant_kept,omitempty"` // the store has the grant, for the family that may come of it
	AuthTime      int64     `json:"auth_time"`            // seconds
	Session       SessionID `json:"session"`
	Approved      int64     `json:"approved,omitempty"` // seconds; when a person let the device in
	ProofKey      string    `json:"dpop_jkt,omitempty"` // the thumbprint that the code is bound to
	Address       string    `json:"address,omitempty"`  // of the browser that logged in
	Device        string    `json:"device,omitempty"`   // its name
}

// IssueCode makes the authorization code for a request and a login.
// See RFC 6749 §4.1.2.
func (i *Issuer) IssueCode(ctx context.Context, a *Authorization, l *Login) (string, error) {
	key, err := i.drawCode(func(key [16]byte) CodeKey { return key })
	if err != nil {
		return "", err
	}
	grant := Grant{Scopes: a.Scopes, Audiences: a.Audiences, ACR: l.Session.ACR}
	kept, err := i.keepGrant(ctx, grant)
	if err != nil {
		return "", err
	}
	from := originFrom(ctx)
	body, err := json.Marshal(codeBody{
		Client:        a.ClientID,
		RedirectURI:   a.RedirectURI,
		RedirectGiven: a.RedirectGiven,
		Challenge:     a.Challenge,
		Nonce:         a.Nonce,
		Grant:         grant,
		GrantKept:     kept,
		AuthTime:      l.Session.AuthTime.Unix(),
		Session:       l.Session.Root,
		ProofKey:      a.ProofKey,
		Address:       clipText(from.Address),
		Device:        clipText(from.device()),
	})
	if err != nil {
		return "", fmt.Errorf("encoding code: %w", err)
	}
	ref := reference{user: l.Session.User, key: key}
	err = i.putCode(ctx, l, PutRequest{ID: CodeKey(key).ID(), Begins: l.Session.Root, Body: body, Lifetime: codeLifetime})
	if err != nil {
		return "", err
	}
	i.observe(ctx, Event{Kind: EventCodeIssued, Outcome: "ok", Client: a.ClientID, Subject: l.Profile.Subject, User: ref.user})
	return ref.text(i.state.secrets(), PurposeCode), nil
}

// drawCode returns the random bits from which a code's key is made. Operators
// paste the ID of the family that the code begins into commands, so it does not
// begin with a dash.
func (i *Issuer) drawCode(derive func([16]byte) CodeKey) ([16]byte, error) {
	for {
		b, err := i.random16()
		if err != nil || !strings.HasPrefix(derive(b).FamilyKey().ID().String(), "-") {
			return b, err
		}
	}
}

// putCode keeps a code of a login, if that has not ended.
func (i *Issuer) putCode(ctx context.Context, l *Login, r PutRequest) error {
	marks, err := i.state.Denylist.marksOf(ctx, Everyone)
	if err != nil {
		return err
	}
	kept := false
	if l.Session.AuthTime.After(marks.everyone) {
		r.User, r.Session = l.Session.User, l.Session.ID
		if kept, err = i.state.Store.PutCode(ctx, r); err != nil {
			return unavailable(err)
		}
	}
	if !kept {
		return refuse(LoginRequired, ReasonRevoked, "The person has just signed out.")
	}
	return nil
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
	return i.tryCode(ctx, ref, func(attempt Attempt) (*TokenResponse, error) { return i.exchangeBy(ctx, c, r, ref, keys, attempt) })
}

func (i *Issuer) exchangeBy(ctx context.Context, c *Client, r TokenRequest, ref reference, keys signers, attempt Attempt) (*TokenResponse, error) {
	res, err := i.takeCode(ctx, c, ref, attempt)
	if err != nil {
		return nil, err
	}
	if res.Outcome == CodeUnknown {
		return nil, i.codeForgotten(ctx, c, r.GrantType, ref)
	}
	var body codeBody
	if err := json.Unmarshal(res.Body, &body); err != nil {
		return nil, unavailable(fmt.Errorf("reading code: %w", err))
	}
	bound := body.boundTo(c, r)
	if res.Outcome == CodeSpent {
		return nil, i.codeReused(ctx, c, r.GrantType, ref, bound == nil && res.Now.Sub(res.TakenAt) < retryWindow)
	}
	if bound != nil {
		return nil, bound // and the code is burned: a verifier cannot be guessed
	}
	m, err := i.redeem(ctx, c, r, ref, body, res, attempt)
	if err != nil {
		return nil, err
	}
	m.keys = keys
	return i.mint(ctx, m)
}

// takeCode lets the store decide who gets the code.
func (i *Issuer) takeCode(ctx context.Context, c *Client, ref reference, attempt Attempt) (TakeResult, error) {
	marks, err := i.state.Denylist.marksOf(ctx, c.tag)
	if err != nil {
		return TakeResult{}, err
	}
	ctx, done := decisive(ctx)
	defer done()
	res, err := i.state.Store.TakeCode(ctx, TakeRequest{
		User: ref.user, ID: CodeKey(ref.key).ID(), Client: c.tag, BegunAfter: marks.client, DenyFor: i.state.DenyFor(), Attempt: attempt,
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
	case r.CodeVerifier == "" && c.WithoutPKCE: // the code says whether it needs one
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
	case !b.provedBy(c, r.CodeVerifier):
		return refuse(InvalidGrant, ReasonBadVerifier, badCode)
	case (b.RedirectGiven || r.RedirectURI != "") && r.RedirectURI != b.RedirectURI:
		return refuse(InvalidGrant, ReasonCodeMismatch, badCode)
	case b.ProofKey != "" && b.ProofKey != r.Sender.Key.String(): // RFC 9449 §10
		return refuse(InvalidGrant, ReasonBinding, badCode)
	}
	return nil
}

// provedBy reports whether the verifier is that of the code's challenge. A code
// without one takes none, and serves only a client that is excused today: else
// leaving the challenge out would be a way around PKCE. See RFC 9700 §2.1.1 and §4.8.2.
func (b *codeBody) provedBy(c *Client, verifier string) bool {
	if b.Challenge == "" {
		return c.WithoutPKCE && verifier == ""
	}
	return verifies(verifier, b.Challenge)
}

// codeReused refuses a code that was taken before, and unless it is the
// client's own quick retry ends what the code has begun, or will begin late.
// See RFC 6749 §4.1.2 and RFC 9700 §4.5.
func (i *Issuer) codeReused(ctx context.Context, c *Client, grant GrantType, ref reference, retry bool) error {
	if !retry {
		family := CodeKey(ref.key).FamilyKey().ID()
		if _, err := i.end(ctx, EndRequest{User: ref.user, Scope: EndFamily, Family: family}, EndedByReplay); err != nil {
			return err
		}
		i.observe(ctx, Event{
			Kind: EventCodeReuse, Outcome: string(ReasonCodeSpent), GrantType: grant,
			Client: c.ID, User: ref.user, Family: family,
		})
	}
	return refuse(InvalidGrant, ReasonCodeSpent, badCode)
}

// codeForgotten refuses a code that the store does not know any more. It cannot
// have been used in time where no family came of it; where one lives, this is
// a second use, however late.
func (i *Issuer) codeForgotten(ctx context.Context, c *Client, grant GrantType, ref reference) error {
	families, err := i.state.Store.ListFamilies(ctx, ref.user)
	if err != nil {
		return unavailable(err)
	}
	id := CodeKey(ref.key).FamilyKey().ID()
	if slices.ContainsFunc(families, func(f Family) bool { return f.ID == id }) {
		return i.codeReused(ctx, c, grant, ref, false)
	}
	return refuse(InvalidGrant, ReasonCodeUnknown, badCode)
}

// redeem begins what a code that is ours was made for.
func (i *Issuer) redeem(ctx context.Context, c *Client, r TokenRequest, ref reference, body codeBody, res TakeResult, attempt Attempt) (mint, error) {
	if body.AuthTime <= later(res.Ended, i.state.Denylist.marksSince(c.tag).everyone).Unix() {
		return mint{}, refuse(InvalidGrant, ReasonRevoked, badCode)
	}
	profile, err := parseProfile(res.Profile)
	if err != nil {
		return mint{}, unavailable(err)
	}
	if profile.Fingerprint != i.cfg.Accounts.Fingerprint(ref.user) {
		return mint{}, refuse(InvalidGrant, ReasonUserChanged, badCode)
	}
	audience, err := i.codeAudience(c, body.Grant, r.Audiences)
	if err != nil {
		return mint{}, err
	}
	scopes := i.grantable(c, body.Grant.Scopes, body.Grant.Audiences)
	key := CodeKey(ref.key).FamilyKey()
	m := mint{
		grant: r.GrantType, client: c, sender: r.Sender, profile: profile, audience: audience, scopes: i.scopesFor(c, scopes, audience), issueAt: res.IssueAt,
		authTime: time.Unix(body.AuthTime, 0), acr: body.Grant.ACR, session: body.Session, family: key.ID(), nonce: body.Nonce,
	}
	if slices.Contains(scopes, ScopeOfflineAccess) {
		created, err := i.createFamily(ctx, c, ref.user, key, body, attempt)
		if err != nil {
			return mint{}, err
		}
		m.issueAt = created.IssueAt
		m.refresh = i.refreshText(c, ref.user, key, created.Family, c.bindRefresh(Confirmation{}, r.Sender))
		m.refreshEnds = created.Family.ends()
	}
	m.idToken = slices.Contains(body.Grant.Scopes, ScopeOpenID)
	return m, nil
}

// codeAudience is the audience of the first access token of a grant.
func (i *Issuer) codeAudience(c *Client, g Grant, asked []string) (string, error) {
	audience, err := pickAudience(g, asked)
	if err == nil && audience != "" && !i.registered(c, audience) { // the client has lost it since
		err = refuse(InvalidGrant, ReasonWrongAudience, badCode)
	}
	return audience, err
}

// keepGrant keeps the grant of a code that a family may come of, and reports
// whether it did. It is done before the code is there: when it is taken, it is
// too late to fail.
func (i *Issuer) keepGrant(ctx context.Context, g Grant) (bool, error) {
	if !slices.Contains(g.Scopes, ScopeOfflineAccess) {
		return false, nil
	}
	if _, err := i.state.grants.put(ctx, g); err != nil {
		return false, unavailable(err)
	}
	return true, nil
}

// grantOf names the grant of a code. One that a gateway of an earlier version
// has issued is kept only now.
func (i *Issuer) grantOf(ctx context.Context, body codeBody) (GrantID, error) {
	if body.GrantKept {
		_, id, err := body.Grant.text()
		return id, err
	}
	id, err := i.state.grants.put(ctx, body.Grant)
	if err != nil {
		return id, unavailable(err)
	}
	return id, nil
}

// createFamily begins the family that the code was made for.
func (i *Issuer) createFamily(ctx context.Context, c *Client, user UserTag, key FamilyKey, body codeBody, attempt Attempt) (CreateResult, error) {
	grant, err := i.grantOf(ctx, body)
	if err != nil {
		return CreateResult{}, err
	}
	ctx, done := decisive(ctx)
	defer done()
	res, err := i.state.Store.CreateFamily(ctx, CreateRequest{
		User: user, ID: key.ID(), Client: c.tag, Grant: grant,
		Session: body.Session, AuthTime: time.Unix(body.AuthTime, 0),
		Lifetime: c.Refresh.Lifetime, IdleLifetime: c.Refresh.IdleLifetime, MaxActive: c.Refresh.MaxActive,
		BegunAfter: i.state.Denylist.marksSince(c.tag).client, DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err := i.state.Denylist.Settle(ctx, user, len(res.Evicted) > 0, err); err != nil {
		return res, err
	}
	for _, id := range res.Evicted {
		i.note(ctx, id, HistoryEntry{Kind: HistoryEvicted, Client: c.ID, User: user})
		i.observe(ctx, Event{Kind: EventFamilyEvicted, Outcome: "max_active", Client: c.ID, User: user, Family: id})
	}
	if !res.Created {
		return res, refuse(InvalidGrant, ReasonCodeSpent, badCode)
	}
	i.note(ctx, key.ID(), HistoryEntry{Kind: HistoryBegun, Client: c.ID, User: user, Address: body.Address, Device: body.Device})
	return res, nil
}
