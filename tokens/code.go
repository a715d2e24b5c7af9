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
	Begun         int64     `json:"begun"`               // seconds; of the session, by the store's clock: ends are compared with it
	AuthTime      int64     `json:"auth_time,omitempty"` // seconds; for the tokens alone, 0 where it is not known
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
	if err := i.keepGrant(ctx, a.ClientID, grant); err != nil {
		return "", err
	}
	from := requesterFrom(ctx)
	body, err := json.Marshal(codeBody{
		Client:        a.ClientID,
		RedirectURI:   a.RedirectURI,
		RedirectGiven: a.RedirectGiven,
		Challenge:     a.Challenge,
		Nonce:         a.Nonce,
		Grant:         grant,
		Begun:         l.Session.Begun.Unix(),
		AuthTime:      unixOrZero(l.Session.AuthTime),
		Session:       l.Session.Root,
		ProofKey:      a.ProofKey,
		Address:       clipText(from.Address),
		Device:        clipText(from.device()),
	})
	if err != nil {
		return "", fmt.Errorf("encoding code: %w", err)
	}
	ref := reference{user: l.Session.User, key: key}
	err = i.putCode(ctx, l, PutRequest{
		ID: CodeKey(key).ID(), Begins: l.Session.Root, Owner: codeOwner(a.ClientID, a.Challenge), Body: body, Lifetime: codeLifetime,
	})
	if err != nil {
		return "", err
	}
	i.observe(ctx, Event{Kind: EventCodeIssued, Outcome: OutcomeOK, Client: a.ClientID, Subject: l.Profile.Subject, User: ref.user})
	return ref.text(i.state.secrets(), PurposeCode), nil
}

// codeOwner is what the second use of a code is held against: by it the client
// that has the verifier is known again when what the code said is forgotten.
func codeOwner(clientID, challenge string) [16]byte {
	return hash16("code-owner", []byte(clientID+"\x00"+challenge))
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
	marks, err := i.state.Denylist.MarksOf(ctx, Everyone)
	if err != nil {
		return err
	}
	kept := false
	if l.Session.Begun.After(marks.Everyone) {
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
	return i.tryCode(ctx, ref, func(ctx context.Context, attempt Attempt) (*TokenResponse, error) {
		return i.exchangeBy(ctx, c, r, ref, keys, attempt)
	})
}

func (i *Issuer) exchangeBy(ctx context.Context, c *Client, r TokenRequest, ref reference, keys signers, attempt Attempt) (*TokenResponse, error) {
	res, err := i.takeCode(ctx, c, ref, attempt)
	if err != nil {
		return nil, err
	}
	switch {
	case res.Outcome == CodeUnknown:
		return nil, i.codeForgotten(ctx, c, r.GrantType, ref)
	case res.Outcome == CodeSpent && res.Mine: // its exchange was not answered in time
		return nil, refuse(InvalidGrant, ReasonCodeSpent, badCode)
	case res.Outcome == CodeSpent:
		mine := res.Owner == codeOwner(c.ID, challengeOf(r.CodeVerifier))
		return nil, i.codeReused(ctx, c, r.GrantType, ref, mine && res.Now.Sub(res.TakenAt)-waitedFor(ctx) < retryWindow)
	}
	var body codeBody
	if err := json.Unmarshal(res.Body, &body); err != nil {
		return nil, unavailable(fmt.Errorf("reading code: %w", err))
	}
	if err := body.boundTo(c, r); err != nil {
		return nil, err // and the code is burned: a verifier cannot be guessed
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
	marks, err := i.state.Denylist.MarksOf(ctx, c.Tag())
	if err != nil {
		return TakeResult{}, err
	}
	ctx, done := decisive(ctx)
	defer done()
	res, err := i.state.Store.TakeCode(ctx, TakeRequest{
		User: ref.user, ID: CodeKey(ref.key).ID(), Client: c.Tag(), BegunAfter: marks.Client, DenyFor: i.state.DenyFor(), Attempt: attempt,
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
	family := CodeKey(ref.key).FamilyKey().ID()
	end := EndRequest{User: ref.user, Scope: EndFamily, Family: family}
	if !retry && !i.state.EndedLately(end) {
		if _, err := i.state.End(ctx, end, EndedByReplay); err != nil {
			return err
		}
		i.observe(ctx, Event{
			Kind: EventCodeReuse, Outcome: Outcome(ReasonCodeSpent), GrantType: grant,
			Client: c.ID, User: ref.user, Family: family,
		})
	}
	return refuse(InvalidGrant, ReasonCodeSpent, badCode)
}

// codeForgotten refuses a code that the store does not know any more. It cannot
// have been used in time where no family came of it; where one lives, this is
// a second use, however late.
func (i *Issuer) codeForgotten(ctx context.Context, c *Client, grant GrantType, ref reference) error {
	_, lives, err := i.state.Store.LiveFamily(ctx, ref.user, CodeKey(ref.key).FamilyKey().ID())
	if err != nil {
		return unavailable(err)
	}
	if lives {
		return i.codeReused(ctx, c, grant, ref, false)
	}
	return refuse(InvalidGrant, ReasonCodeUnknown, badCode)
}

// redeem begins what a code that is ours was made for.
func (i *Issuer) redeem(ctx context.Context, c *Client, r TokenRequest, ref reference, body codeBody, res TakeResult, attempt Attempt) (mint, error) {
	if body.Begun <= later(res.Ended, i.state.Denylist.MarksSince(c.Tag()).Everyone).Unix() {
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
		authTime: timeOrZero(body.AuthTime), acr: body.Grant.ACR, session: body.Session, family: key.ID(), nonce: body.Nonce,
	}
	if slices.Contains(scopes, ScopeOfflineAccess) {
		created, err := i.createFamily(ctx, c, ref.user, key, body, res.TakenAt, attempt)
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

// keepGrant keeps the grant of a code that a family may come of, as long as that
// may live. It is done before the code is there: when it is taken, it is too late
// to fail.
func (i *Issuer) keepGrant(ctx context.Context, clientID string, g Grant) error {
	c, ok := i.Client(clientID)
	if !ok || !slices.Contains(g.Scopes, ScopeOfflineAccess) {
		return nil
	}
	if err := i.state.grants.put(ctx, g, c.Refresh.keepsGrants()); err != nil {
		return unavailable(err)
	}
	return nil
}

// createFamily begins the family that the code was made for.
func (i *Issuer) createFamily(ctx context.Context, c *Client, user UserTag, key FamilyKey, body codeBody, taken time.Time, attempt Attempt) (CreateResult, error) {
	_, grant, err := body.Grant.text()
	if err != nil {
		return CreateResult{}, err
	}
	ctx, done := decisive(ctx)
	defer done()
	res, err := i.state.Store.CreateFamily(ctx, CreateRequest{
		User: user, ID: key.ID(), Client: c.Tag(), Grant: grant,
		Session: body.Session, Begun: time.Unix(body.Begun, 0), AuthTime: timeOrZero(body.AuthTime), Taken: taken,
		Lifetime: c.Refresh.Lifetime, IdleLifetime: c.Refresh.IdleLifetime, MaxActive: c.Refresh.MaxActive,
		BegunAfter: i.state.Denylist.MarksSince(c.Tag()).Client, DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err := i.state.Denylist.Settle(ctx, user, len(res.Evicted) > 0, err); err != nil {
		return res, err
	}
	for _, id := range res.Evicted {
		i.state.History.Note(ctx, id, HistoryEntry{Kind: HistoryEvicted, Client: c.ID, User: user})
		i.observe(ctx, Event{Kind: EventFamilyEvicted, Outcome: OutcomeMaxActive, Client: c.ID, User: user, Family: id})
	}
	if !res.Created {
		return res, refuse(InvalidGrant, ReasonCodeSpent, badCode)
	}
	i.state.History.Note(ctx, key.ID(), HistoryEntry{Kind: HistoryBegun, Client: c.ID, User: user, Address: body.Address, Device: body.Device})
	return res, nil
}

// waited is the key in a context of how long an exchange has waited for another one.
type waited struct{}

// waitedFor returns how long an exchange of a code has waited for another one of it.
func waitedFor(ctx context.Context) time.Duration {
	d, _ := ctx.Value(waited{}).(time.Duration)
	return d
}

// tryCode runs one exchange of a code, all of it by one attempt: the one before,
// where that was not answered.
func (i *Issuer) tryCode(ctx context.Context, ref reference, exchange func(context.Context, Attempt) (*TokenResponse, error)) (*TokenResponse, error) {
	id, came := CodeKey(ref.key).ID(), i.cfg.Clock()
	attempt, again, err := i.state.attempts.begin(ctx, id)
	if err != nil {
		return nil, unavailable(fmt.Errorf("waiting for another exchange of the code: %w", err))
	}
	defer i.state.attempts.end(id)
	if !again {
		attempt = i.state.NewAttempt()
	}
	res, err := exchange(context.WithValue(ctx, waited{}, i.cfg.Clock().Sub(came)), attempt)
	if withoutAnswer(ctx, err) {
		i.state.attempts.keep(id, attempt, i.cfg.Clock())
	}
	return res, err
}
