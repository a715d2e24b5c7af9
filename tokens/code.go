package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// codeLifetime is how long an authorization code is good for. See RFC 6749 §4.1.2.
const codeLifetime = 60 * time.Second

// retryWindow is how soon after its first use a code may come again without
// being taken for stolen: an SDK that lost the answer tries again at once.
const retryWindow = time.Second

// codeBody is what the store keeps of a code: what it is bound to and what it grants.
type codeBody struct {
	Client        string            `json:"client"`
	RedirectURI   string            `json:"redirect_uri"`
	RedirectGiven bool              `json:"redirect_given,omitempty"`
	Challenge     string            `json:"challenge"`
	Nonce         string            `json:"nonce,omitempty"`
	Grant         storage.Grant     `json:"grant"`
	Begun         int64             `json:"begun"`               // seconds; of the session, by the store's clock: ends are compared with it
	AuthTime      int64             `json:"auth_time,omitempty"` // seconds; for the tokens alone, 0 where it is not known
	AMR           []string          `json:"amr,omitempty"`
	Session       storage.SessionID `json:"session"`
	Approved      int64             `json:"approved,omitempty"` // seconds; when a person let the device in
	ProofKey      string            `json:"dpop_jkt,omitempty"` // the thumbprint that the code is bound to
	Address       string            `json:"address,omitempty"`  // of the browser that logged in
	Device        string            `json:"device,omitempty"`   // its name
}

const badCode = "The authorization code is unknown, expired or already used, or does not belong to this request."

// exchangeCode is the authorization code grant. See RFC 6749 §4.1.3, RFC 7636 §4.6.
func (i *Issuer) exchangeCode(ctx context.Context, c *clients.Client, r TokenRequest) (*TokenResponse, error) {
	ref, err := i.checkCodeRequest(ctx, c, r)
	if err != nil {
		return nil, err
	}
	keys, err := i.signers(c, true)
	if err != nil {
		return nil, err
	}
	return tryCode(ctx, i, ref, func(ctx context.Context, attempt storage.Attempt) (*TokenResponse, error) {
		return i.exchangeBy(ctx, c, r, ref, keys, attempt)
	})
}

func (i *Issuer) exchangeBy(ctx context.Context, c *clients.Client, r TokenRequest, ref reference, keys signers, attempt storage.Attempt) (*TokenResponse, error) {
	body, res, err := i.takeOwn(ctx, c, r, ref, attempt)
	if err != nil {
		return nil, err
	}
	m, err := i.redeem(ctx, c, r, ref, body, res, attempt)
	if err != nil {
		return nil, err
	}
	m.keys = keys
	return i.mint(ctx, m)
}

// takeOwn takes a code that is this client's and request's.
func (i *Issuer) takeOwn(ctx context.Context, c *clients.Client, r TokenRequest, ref reference, attempt storage.Attempt) (body codeBody, res storage.TakeResult, err error) {
	if res, err = i.takeCode(ctx, c, ref, attempt); err != nil {
		return body, res, err
	}
	switch {
	case res.Outcome == storage.CodeUnknown:
		return body, res, i.codeForgotten(ctx, c, r.GrantType, ref)
	case res.Outcome == storage.CodeSpent && res.Mine: // its exchange was not answered in time
		return body, res, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonCodeSpent, badCode)
	case res.Outcome == storage.CodeSpent:
		mine := res.Owner == codeOwner(c.ID, challengeOf(r.CodeVerifier))
		return body, res, i.codeReused(ctx, c, r.GrantType, ref, mine && res.Now.Sub(res.TakenAt)-waitedFor(ctx) < retryWindow)
	}
	if err := json.Unmarshal(res.Body, &body); err != nil {
		return body, res, oauth.Unavailable(fmt.Errorf("reading code: %w", err))
	}
	return body, res, body.boundTo(c, r) // or the code is burned: a verifier cannot be guessed
}

// takeCode lets the store decide who gets the code.
func (i *Issuer) takeCode(ctx context.Context, c *clients.Client, ref reference, attempt storage.Attempt) (storage.TakeResult, error) {
	marks, err := i.state.Denylist.MarksOf(ctx, c.Tag())
	if err != nil {
		return storage.TakeResult{}, err
	}
	ctx, done := storage.Decisive(ctx)
	defer done()
	res, err := i.state.Store.TakeCode(ctx, storage.TakeRequest{
		User: ref.user, ID: storage.CodeKey(ref.key).ID(), Client: c.Tag(), BegunAfter: marks.Client, Note: i.notedFor(c), DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err != nil {
		return res, oauth.Unavailable(err)
	}
	return res, nil
}

// checkCodeRequest refuses what needs no look at the store.
func (i *Issuer) checkCodeRequest(ctx context.Context, c *clients.Client, r TokenRequest) (reference, error) {
	if _, err := i.targets(c, r.Audiences); err != nil {
		return reference{}, err
	}
	switch {
	case r.Code == "":
		return reference{}, oauth.BadRequest("code is missing.")
	case r.CodeVerifier == "" && !c.NeedsPKCE(): // the code says whether it has a challenge
	case r.CodeVerifier == "":
		return reference{}, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonBadVerifier, "code_verifier is missing.")
	case !validVerifier(r.CodeVerifier):
		return reference{}, oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBadVerifier, "code_verifier must be 43 to 128 unreserved characters.")
	}
	ref, secret, ok := parseReference(i.state.Secrets(), secrets.PurposeCode, r.Code)
	if !ok {
		return reference{}, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonBadMAC, badCode)
	}
	i.noteSecret(ctx, secret)
	return ref, nil
}

// boundTo returns why a code is not this client's, request's and verifier's.
func (b *codeBody) boundTo(c *clients.Client, r TokenRequest) error {
	switch {
	case b.Client != c.ID:
		return oauth.Refuse(oauth.InvalidGrant, oauth.ReasonClientMismatch, badCode)
	case !b.provedBy(c, r.CodeVerifier):
		return oauth.Refuse(oauth.InvalidGrant, oauth.ReasonBadVerifier, badCode)
	case (b.RedirectGiven || r.RedirectURI != "") && r.RedirectURI != b.RedirectURI:
		return oauth.Refuse(oauth.InvalidGrant, oauth.ReasonCodeMismatch, badCode)
	case b.ProofKey != "" && b.ProofKey != r.Sender.Key.String(): // RFC 9449 §10
		return oauth.Refuse(oauth.InvalidGrant, oauth.ReasonBinding, badCode)
	}
	return nil
}

// provedBy reports whether the verifier is that of the code's challenge. A code
// without one takes none, and serves only a client that may go without PKCE today:
// else leaving the challenge out would be a way around it. See RFC 9700 §2.1.1 and §4.8.2.
func (b *codeBody) provedBy(c *clients.Client, verifier string) bool {
	if b.Challenge == "" {
		return !c.NeedsPKCE() && verifier == ""
	}
	return verifies(verifier, b.Challenge)
}

// codeReused refuses a code that was taken before, and unless it is the
// client's own quick retry ends what the code has begun, or will begin late.
// See RFC 6749 §4.1.2 and RFC 9700 §4.5.
func (i *Issuer) codeReused(ctx context.Context, c *clients.Client, grant oauth.GrantType, ref reference, retry bool) error {
	family := storage.CodeKey(ref.key).FamilyKey().ID()
	end := storage.EndRequest{User: ref.user, Scope: storage.EndFamily, Family: family}
	if !retry && !i.state.EndedLately(end) {
		if _, err := i.state.End(ctx, end, history.EndedByReplay); err != nil {
			return err
		}
		i.observe(ctx, oauth.Event{
			Kind: oauth.EventCodeReuse, Outcome: oauth.Outcome(oauth.ReasonCodeSpent), GrantType: grant,
			Client: c.ID, User: ref.user, Family: family,
		})
	}
	return oauth.Refuse(oauth.InvalidGrant, oauth.ReasonCodeSpent, badCode)
}

// codeForgotten refuses a code that the store does not know any more. It cannot
// have been used in time where no family came of it; where one lives, this is
// a second use, however late.
func (i *Issuer) codeForgotten(ctx context.Context, c *clients.Client, grant oauth.GrantType, ref reference) error {
	_, lives, err := i.state.Store.LiveFamily(ctx, ref.user, storage.CodeKey(ref.key).FamilyKey().ID())
	if err != nil {
		return oauth.Unavailable(err)
	}
	if lives {
		return i.codeReused(ctx, c, grant, ref, false)
	}
	return oauth.Refuse(oauth.InvalidGrant, oauth.ReasonCodeUnknown, badCode)
}

// redeem begins what a code that is ours was made for.
func (i *Issuer) redeem(ctx context.Context, c *clients.Client, r TokenRequest, ref reference, body codeBody, res storage.TakeResult, attempt storage.Attempt) (mint, error) {
	if body.Grant.Keyed && !c.Confidential() { // its document said something else when the code was made
		return mint{}, withoutKey()
	}
	profile, err := i.stillMay(c, ref, body, res)
	if err != nil {
		return mint{}, err
	}
	audience, err := i.codeAudience(c, body.Grant, r.Audiences)
	if err != nil {
		return mint{}, err
	}
	scopes := i.grantable(c, body.Grant.Scopes, body.Grant.Audiences)
	key := storage.CodeKey(ref.key).FamilyKey()
	m := mint{
		grant: r.GrantType, client: c, sender: r.Sender, profile: profile, audience: audience, scopes: i.personScopes(i.scopesFor(c, scopes, audience), audience, profile), issueAt: res.IssueAt,
		authTime: timeOrZero(body.AuthTime), acr: body.Grant.ACR, amr: body.AMR, session: body.Session, family: key.ID(), nonce: body.Nonce,
	}
	if slices.Contains(scopes, oauth.ScopeOfflineAccess) {
		created, err := i.createFamily(ctx, c, ref.user, key, body, res, attempt)
		if err != nil {
			return mint{}, err
		}
		m.issueAt = created.IssueAt
		m.refresh = i.refreshText(c, ref.user, key, created.Family, c.BindRefresh(jose.Confirmation{}, r.Sender))
		m.refreshEnds = created.Family.Ends()
	}
	m.idToken = slices.Contains(body.Grant.Scopes, oauth.ScopeOpenID)
	return m, nil
}

// stillMay returns the person of a code that was taken, if they may still begin what it
// was made for.
func (i *Issuer) stillMay(c *clients.Client, ref reference, body codeBody, res storage.TakeResult) (*Profile, error) {
	if body.Begun <= storage.Later(res.Ended, i.state.Denylist.MarksSince(c.Tag()).Everyone).Unix() {
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonRevoked, badCode)
	}
	profile, err := parseProfile(res.Profile)
	switch {
	case err != nil:
		return nil, oauth.Unavailable(err)
	case !i.fits(ref.user, profile):
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonUserChanged, badCode)
	case i.mayEnter(c, profile) != nil: // they have lost it since
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonNotAllowed, badCode)
	}
	return profile, nil
}

// codeAudience is the audience of the first access token of a grant.
func (i *Issuer) codeAudience(c *clients.Client, g storage.Grant, asked []string) (string, error) {
	audience, err := i.pickAudience(g, asked)
	if err == nil && audience != "" && !i.registered(c, audience) { // the client has lost it since
		err = oauth.Refuse(oauth.InvalidGrant, oauth.ReasonWrongAudience, badCode)
	}
	return audience, err
}

// keepGrant keeps the grant of a code that a family may come of, as long as that
// may live. It is done before the code is there: when it is taken, it is too late
// to fail.
func (i *Issuer) keepGrant(ctx context.Context, c *clients.Client, g storage.Grant) error {
	if g.Site == "" && !slices.Contains(g.Scopes, oauth.ScopeOfflineAccess) {
		return nil
	}
	if err := i.state.Grants.Put(ctx, g, c.Refresh.KeepsGrants()); err != nil {
		return oauth.Unavailable(err)
	}
	return nil
}

// createFamily begins the family that the code was made for.
func (i *Issuer) createFamily(ctx context.Context, c *clients.Client, user storage.UserTag, key storage.FamilyKey, body codeBody, taken storage.TakeResult, attempt storage.Attempt) (storage.CreateResult, error) {
	_, grant, err := body.Grant.Text()
	if err != nil {
		return storage.CreateResult{}, err
	}
	ctx, done := storage.Decisive(ctx)
	defer done()
	res, err := i.state.Store.CreateFamily(ctx, storage.CreateRequest{
		User: user, ID: key.ID(), Client: c.Tag(), Grant: grant,
		Session: body.Session, Begun: time.Unix(body.Begun, 0), AuthTime: timeOrZero(body.AuthTime), Taken: taken.TakenAt, Issued: taken.IssueAt,
		Lifetime: c.Refresh.Lifetime, IdleLifetime: c.Refresh.IdleLifetime, MaxActive: c.Refresh.MaxActive,
		BegunAfter: i.state.Denylist.MarksSince(c.Tag()).Client, DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err := i.state.Denylist.Settle(ctx, user, len(res.Evicted) > 0, err); err != nil {
		return res, err
	}
	for _, id := range res.Evicted {
		i.state.History.Note(ctx, id, history.Entry{Kind: history.Evicted, Client: c.Ref(), User: user})
		i.observe(ctx, oauth.Event{Kind: oauth.EventFamilyEvicted, Outcome: oauth.OutcomeMaxActive, Client: c.ID, User: user, Family: id})
	}
	if !res.Created {
		return res, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonCodeSpent, badCode)
	}
	i.state.History.Note(ctx, key.ID(), history.Entry{Kind: history.Begun, Client: c.Ref(), User: user, Address: body.Address, Device: body.Device})
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
func tryCode[T any](ctx context.Context, i *Issuer, ref reference, exchange func(context.Context, storage.Attempt) (T, error)) (res T, err error) {
	id, came := storage.CodeKey(ref.key).ID(), i.cfg.Clock()
	attempt, again, err := i.state.Attempts.Begin(ctx, id)
	if err != nil {
		return res, oauth.Unavailable(fmt.Errorf("waiting for another exchange of the code: %w", err))
	}
	defer i.state.Attempts.End(id)
	if !again {
		attempt = i.state.NewAttempt()
	}
	res, err = exchange(context.WithValue(ctx, waited{}, i.cfg.Clock().Sub(came)), attempt)
	if withoutAnswer(ctx, err) {
		i.state.Attempts.Keep(id, attempt, i.cfg.Clock())
	}
	return res, err
}
