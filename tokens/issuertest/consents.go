package issuertest

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

// asksFirst makes people agree to what the client asks for.
func (c *core) asksFirst() {
	c.t.Helper()
	client := *c.cfg.Clients[0]
	client.Consent = clients.ConsentAlways
	c.cfg.Clients = []*clients.Client{&client}
	c.reload()
}

// at is somebody with a session before a request of the client.
type at struct {
	*core
	a      *tokens.Authorization
	cookie string
}

func (c *core) signedIn(subject string, parameters ...string) at {
	c.t.Helper()
	_, cookie, err := c.SignIn(c.t.Context(), tokens.Profile{Subject: subject, Login: "local", Fingerprint: storetest.Fingerprint}, "")
	storetest.NoError(c.t, err)
	return at{c, c.request(parameters...), cookie}
}

func (c *core) request(parameters ...string) *tokens.Authorization {
	c.t.Helper()
	return storetest.Must(c.ParseAuthorization(c.t.Context(), parametersOf(parameters...)))(c.t)
}

func (c at) login() *tokens.Login {
	c.t.Helper()
	l := storetest.Must(c.CurrentLoginAt(c.t.Context(), c.cookie, c.a.ClientID))(c.t)
	if l == nil {
		c.t.Fatal("the session is gone")
	}
	return l
}

// asked returns what the person is asked.
func (c at) asked() *tokens.Question {
	c.t.Helper()
	return storetest.Must(c.Question(c.t.Context(), c.a, c.login(), false))(c.t)
}

func (c at) wantAsked(more bool, want ...string) *tokens.Question {
	c.t.Helper()
	q := c.asked()
	if q == nil {
		if want != nil {
			c.t.Fatalf("nothing is asked, want %v", want)
		}
		return nil
	}
	if got := q.Scopes(c.a.Scopes); !slices.Equal(got, want) || q.More != more {
		c.t.Fatalf("asked for %v, more %v; want %v, %v", got, q.More, want, more)
	}
	return q
}

// allow answers the consent page that shows the question.
func (c at) allow(shown *tokens.Question) (string, error) {
	l := c.login()
	step, err := c.NextStep(c.t.Context(), c.a, l, tokens.Progress{Agreed: shown})
	if err == nil && step != tokens.StepIssue {
		err = errAskedAgain
	}
	if err != nil {
		return "", err
	}
	return c.IssueAgreed(c.t.Context(), c.a, l)
}

var errAskedAgain = errors.New("the person is asked again")

// silently answers a request by what was agreed to.
func (c at) silently() (string, error) {
	l := c.login()
	silent := *c.a
	silent.Prompt = []string{tokens.PromptNone}
	if _, err := c.NextStep(c.t.Context(), &silent, l, tokens.Progress{}); err != nil {
		return "", err
	}
	return c.IssueCode(c.t.Context(), c.a, l)
}

func (c *core) redeem(code string) (*tokens.TokenResponse, error) {
	return c.Token(c.t.Context(), c.client(), tokens.TokenRequest{
		GrantType: oauth.GrantAuthorizationCode, Code: code, RedirectURI: redirect, CodeVerifier: verifier,
	})
}

// consentOnce: what was agreed to is asked once, in any browser; more is asked alone.
func consentOnce(c *core) {
	c.asksFirst()
	all := []string{"openid", "offline_access", "orders:read", "orders:write"}
	alice := c.signedIn("local|alice")
	if _, err := alice.silently(); oauth.AsError(err).Code != oauth.ConsentRequired {
		c.t.Errorf("prompt=none before a consent: %v", err)
	}
	little := c.signedIn("local|alice", "scope", "openid orders:read")
	code := storetest.Must(little.allow(little.wantAsked(false, "openid", "orders:read")))(c.t)
	storetest.Must(c.redeem(code))(c.t)
	little.wantAsked(false)
	storetest.Must(little.silently())(c.t)
	c.signedIn("local|bob", "scope", "openid orders:read").wantAsked(false, "openid", "orders:read")

	more := alice.wantAsked(true, "offline_access", "orders:write") // offline access is new
	storetest.Must(alice.allow(more))(c.t)
	alice.wantAsked(false)
	little.wantAsked(false)
	// Another API is another question, with the same scopes, too.
	other := c.signedIn("local|alice", "audience", billingAPI, "scope", "openid offline_access billing:read")
	storetest.Must(other.allow(other.wantAsked(true, "offline_access", "billing:read")))(c.t)
	other.wantAsked(false)
	alice.wantAsked(false)
	alice.a.Prompt = []string{tokens.PromptConsent}
	alice.wantAsked(false, all...)

	list := storetest.Must(c.Consents(c.t.Context(), alice.login()))(c.t)
	if len(list) != 1 || list[0].Client == nil || !slices.Equal(list[0].Audiences, []string{billingAPI, ordersAPI}) ||
		!slices.Equal(list[0].Scopes, []string{"billing:read", "offline_access", "openid", "orders:read", "orders:write"}) {
		c.t.Errorf("consents: %+v", list)
	}
}

// consentAddress (H10): an answer to another address is another question.
func consentAddress(c *core) {
	client := *c.cfg.Clients[0]
	client.RedirectURIs = append(slices.Clone(client.RedirectURIs), redirect+"2")
	c.cfg.Clients = []*clients.Client{&client}
	c.asksFirst()
	alice := c.signedIn("local|alice", "scope", "openid")
	storetest.Must(alice.allow(alice.asked()))(c.t)
	other := c.signedIn("local|alice", "scope", "openid", "redirect_uri", redirect+"2")
	storetest.Must(other.allow(other.wantAsked(false, "openid")))(c.t)
	other.wantAsked(false)
	alice.wantAsked(false)
}

// consentWithdrawn (H10, RT-15): a withdrawal ends on all nodes what the client has of the
// person, and what was on its way.
func consentWithdrawn(c *core) {
	c.asksFirst()
	b := c.node()
	alice := c.signedIn("local|alice")
	there := at{b, alice.a, alice.cookie}
	res := storetest.Must(c.redeem(storetest.Must(alice.allow(alice.asked()))(c.t)))(c.t)
	bob := c.signedIn("local|bob")
	hers := storetest.Must(c.redeem(storetest.Must(bob.allow(bob.asked()))(c.t)))(c.t)
	if !c.passes(res.AccessToken) || !b.passes(res.AccessToken) {
		c.t.Fatal("a token is refused")
	}
	unredeemed := storetest.Must(there.silently())(c.t) // on its way at the other node
	looked := there.login()                             // as is this request, which has seen the consent

	storetest.NoError(c.t, c.WithdrawConsent(c.t.Context(), alice.login(), c.client().Tag()))
	if c.passes(res.AccessToken) {
		c.t.Error("the access token passes")
	}
	c.dead(res.RefreshToken)
	b.dead(res.RefreshToken)
	if _, err := b.redeem(unredeemed); err == nil || oauth.AsError(err).Code != oauth.InvalidGrant {
		c.t.Errorf("the code in flight: %v", err)
	}
	if _, err := b.IssueCode(c.t.Context(), there.a, looked); !errors.Is(err, tokens.ErrConsentChanged) {
		c.t.Errorf("the request in flight: %v", err)
	}
	if _, err := there.silently(); oauth.AsError(err).Code != oauth.ConsentRequired {
		c.t.Errorf("prompt=none after the withdrawal: %v", err)
	}
	if !c.passes(hers.AccessToken) {
		c.t.Error("somebody else's token is refused")
	}
	c.refresh(hers.RefreshToken)
	// At once again: what comes of it is good.
	again := storetest.Must(b.redeem(storetest.Must(there.allow(there.asked()))(c.t)))(c.t)
	if !b.passes(again.AccessToken) || !c.passes(again.AccessToken) {
		c.t.Error("what was agreed to since is refused")
	}
	next := b.refresh(again.RefreshToken)
	if !b.passes(next.AccessToken) {
		c.t.Error("a refreshed token is refused")
	}
	c.dead(res.RefreshToken)
}

// consentMeanwhile: a page that asks for the difference alone decides nothing when the rest
// was withdrawn in another tab.
func consentMeanwhile(c *core) {
	c.asksFirst()
	little := c.signedIn("local|alice", "scope", "openid orders:read")
	storetest.Must(little.allow(little.asked()))(c.t)
	alice := c.signedIn("local|alice", "scope", "openid orders:read orders:write")
	shown := alice.wantAsked(true, "orders:write")
	storetest.NoError(c.t, c.WithdrawConsent(c.t.Context(), little.login(), c.client().Tag()))
	if _, err := alice.allow(shown); !errors.Is(err, errAskedAgain) {
		c.t.Fatalf("what was withdrawn is granted: %v", err)
	}
	whole := alice.wantAsked(false, "openid", "orders:read", "orders:write")
	// Two tabs: the other one answers first, between the look and the code.
	looked := alice.login()
	if _, err := c.Question(c.t.Context(), alice.a, looked, false); err != nil {
		c.t.Fatal(err)
	}
	storetest.Must(little.allow(little.asked()))(c.t)
	if _, err := c.IssueAgreed(c.t.Context(), alice.a, looked); !errors.Is(err, tokens.ErrConsentChanged) {
		c.t.Errorf("it writes over what the other tab has agreed to: %v", err)
	}
	storetest.Must(alice.allow(whole))(c.t)
	alice.wantAsked(false)
	little.wantAsked(false)
}

// consentGone: the application is not configured any more. The person can still see and
// withdraw what they agreed to.
func consentGone(c *core) {
	c.asksFirst()
	alice, bob := c.signedIn("local|alice"), c.signedIn("local|bob")
	res := storetest.Must(c.redeem(storetest.Must(alice.allow(alice.asked()))(c.t)))(c.t)
	tag, client := c.client().Tag(), c.client()
	other := *client
	other.ID = "other"
	c.cfg.Clients = []*clients.Client{&other}
	c.reload()
	list := storetest.Must(c.Consents(c.t.Context(), alice.login()))(c.t)
	if len(list) != 1 || list[0].Client != nil || list[0].Name != "app" || list[0].ClientTag != tag {
		c.t.Fatalf("consents: %+v", list)
	}
	storetest.NoError(c.t, c.WithdrawConsent(c.t.Context(), alice.login(), tag))
	if c.passes(res.AccessToken) {
		c.t.Error("the access token passes")
	}
	if list := storetest.Must(c.Consents(c.t.Context(), alice.login()))(c.t); len(list) != 0 {
		c.t.Errorf("withdrawn, and there: %+v", list)
	}
	// What was never theirs leaves nothing behind.
	storetest.NoError(c.t, c.WithdrawConsent(c.t.Context(), bob.login(), tag))
	if denied := storetest.Must(c.state.Store.Denials(context.Background(), []storage.UserTag{bob.login().Session.User}))(c.t); len(denied[0].Entries) != 0 {
		c.t.Errorf("it is in the denylist: %+v", denied)
	}
}
