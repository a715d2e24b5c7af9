package tokens_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// withTV adds clients that may use the device code grant.
func withTV(c *tokens.Config) {
	policy := clients.RefreshPolicy{Rotation: true, Leeway: 10 * time.Second, Lifetime: 30 * 24 * time.Hour, IdleLifetime: 15 * 24 * time.Hour, MaxActive: 200}
	for _, id := range []string{"tv", "cli"} {
		c.Clients = append(c.Clients, &clients.Client{
			ID: id, Type: clients.Native, APIs: []string{ordersAPI}, OIDCConformant: true, DeviceCode: true, Refresh: policy,
		})
	}
}

const tvScope = "openid profile offline_access orders:read"

// device asks for a device code.
func (g *gateway) device() *tokens.DeviceAuthorization {
	g.t.Helper()
	d, err := g.AuthorizeDevice(g.t.Context(), g.client("tv"), tvScope, []string{ordersAPI})
	if err != nil {
		g.t.Fatal(err)
	}
	return d
}

func (g *gateway) poll(d *tokens.DeviceAuthorization) (*tokens.TokenResponse, error) {
	return g.token("tv", tokens.TokenRequest{GrantType: oauth.GrantDeviceCode, DeviceCode: d.DeviceCode})
}

// find types a user code.
func (g *gateway) find(typed string) *tokens.DeviceRequest {
	g.t.Helper()
	r, err := g.FindDevice(g.t.Context(), typed)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

func (g *gateway) approve(d *tokens.DeviceAuthorization, l *tokens.Login) {
	g.t.Helper()
	if err := g.ApproveDevice(g.t.Context(), g.find(d.UserCode), l); err != nil {
		g.t.Fatal(err)
	}
}

func TestDevice(t *testing.T) {
	g := newGateway(t, withTV)
	d := g.device()
	if d.Lifetime != 15*time.Minute || d.Interval != 5*time.Second || len(d.UserCode) != 9 {
		t.Errorf("the device got %+v", d)
	}
	_, err := g.poll(d)
	refused(t, err, oauth.AuthorizationPending, "")
	r := g.find(" " + strings.ToLower(strings.ReplaceAll(d.UserCode, "-", " . ")))
	if r == nil || r.ClientID != "tv" || strings.Join(r.Grant.Scopes, " ") != "openid profile offline_access orders:read" {
		t.Fatalf("the person is asked about %+v", r)
	}
	l, _ := g.signIn(alice)
	g.approve(d, l)
	res, err := g.poll(d) // at once: an answer is not kept waiting
	if err != nil {
		t.Fatal(err)
	}
	if res.RefreshToken == "" || res.IDToken == "" || res.Scope != "openid profile offline_access orders:read" {
		t.Errorf("answer %+v", res)
	}
	c, err := g.CheckAccess(t.Context(), res.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != alice.Subject || c.ClientID != "tv" || !c.HasFamily || c.SessionID == l.Session.ID.String() {
		t.Errorf("claims %+v", c)
	}
	if _, err := g.token("tv", tokens.TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: res.RefreshToken}); err != nil {
		t.Errorf("refreshing: %v", err)
	}
	if g.find(d.UserCode) != nil {
		t.Error("the user code can be answered again")
	}
	if g.events.count(oauth.EventDevice, "requested") != 1 || g.events.count(oauth.EventDevice, "approved") != 1 || g.events.count(oauth.EventTokenRefused, "") != 0 {
		t.Errorf("events %+v", g.events.all)
	}
}

// TestDeviceTarget: an API that the device was not granted is refused before the
// person's approval is spent.
func TestDeviceTarget(t *testing.T) {
	g := newGateway(t, withTV, func(c *tokens.Config) { c.Clients[len(c.Clients)-2].APIs = []string{ordersAPI, billingAPI} })
	d := g.device()
	l, _ := g.signIn(alice)
	g.approve(d, l)
	for _, audiences := range [][]string{{billingAPI}, {ordersAPI, billingAPI}} {
		_, err := g.token("tv", tokens.TokenRequest{GrantType: oauth.GrantDeviceCode, DeviceCode: d.DeviceCode, Audiences: audiences})
		refused(t, err, oauth.InvalidTarget, oauth.ReasonWrongAudience)
	}
	if _, err := g.poll(d); err != nil {
		t.Errorf("the approval was spent by a refusal: %v", err)
	}
}

func TestDeviceDenied(t *testing.T) {
	g := newGateway(t, withTV)
	d := g.device()
	l, _ := g.signIn(alice)
	r := g.find(d.UserCode)
	if err := g.DenyDevice(t.Context(), r, l); err != nil {
		t.Fatal(err)
	}
	refused(t, g.ApproveDevice(t.Context(), r, l), oauth.ExpiredToken, oauth.ReasonExpired)
	for range 2 {
		_, err := g.poll(d)
		refused(t, err, oauth.AccessDenied, oauth.ReasonPersonDenied)
	}
}

func TestDeviceSlowDown(t *testing.T) {
	g := newGateway(t, withTV)
	d := g.device()
	for _, step := range []struct {
		after time.Duration
		want  oauth.ErrorCode
	}{
		{0, oauth.AuthorizationPending},
		{time.Second, oauth.SlowDown},                  // 10 s from now on
		{9 * time.Second, oauth.AuthorizationPending},  // a little early
		{8 * time.Second, oauth.SlowDown},              // 15 s
		{15 * time.Second, oauth.AuthorizationPending}, // as told
		{15 * time.Minute, oauth.ExpiredToken},         // and after that
		{time.Millisecond, oauth.ExpiredToken},         // there is nothing to slow down
		{24 * time.Hour, oauth.ExpiredToken},           // however late
	} {
		g.pass(step.after)
		_, err := g.poll(d)
		refused(t, err, step.want, "")
	}
	if g.find(d.UserCode) != nil {
		t.Error("a request that has ended is shown")
	}
}

// TestDeviceRefused: what is wrong in itself changes nothing.
func TestDeviceRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		client string
		change func(*tokens.TokenRequest)
		code   oauth.ErrorCode
	}{
		{"missing", "tv", func(r *tokens.TokenRequest) { r.DeviceCode = "" }, oauth.InvalidRequest},
		{"garbage", "tv", func(r *tokens.TokenRequest) { r.DeviceCode = "garbage" }, oauth.InvalidGrant},
		{"64 KiB", "tv", func(r *tokens.TokenRequest) { r.DeviceCode = strings.Repeat("A", 64<<10) }, oauth.InvalidGrant},
		{"another client", "cli", func(*tokens.TokenRequest) {}, oauth.InvalidGrant},
		{"a client without the grant", "native", func(*tokens.TokenRequest) {}, oauth.UnauthorizedClient},
		{"an authorization code", "tv", func(r *tokens.TokenRequest) {
			r.GrantType, r.Code, r.CodeVerifier = oauth.GrantAuthorizationCode, r.DeviceCode, verifier
		}, oauth.InvalidGrant},
		{"another API", "tv", func(r *tokens.TokenRequest) { r.Audiences = []string{billingAPI} }, oauth.InvalidTarget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, withTV)
			d := g.device()
			l, _ := g.signIn(alice)
			g.approve(d, l)
			r := tokens.TokenRequest{GrantType: oauth.GrantDeviceCode, DeviceCode: d.DeviceCode}
			tt.change(&r)
			_, err := g.token(tt.client, r)
			refused(t, err, tt.code, "")
			if _, err := g.poll(d); err != nil {
				t.Errorf("the refusal has cost the device its code: %v", err)
			}
		})
	}
}

func TestDeviceAuthorizationRefused(t *testing.T) {
	g := newGateway(t, withTV)
	for _, tt := range []struct {
		name, client, scope string
		audiences           []string
		code                oauth.ErrorCode
	}{
		{"without the grant", "spa", "openid", nil, oauth.UnauthorizedClient},
		{"machine", "machine", "orders:read", nil, oauth.UnauthorizedClient},
		{"malformed scope", "tv", "open\"id", nil, oauth.InvalidScope},
		{"another API", "tv", "openid", []string{billingAPI}, oauth.InvalidTarget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := g.AuthorizeDevice(t.Context(), g.client(tt.client), tt.scope, tt.audiences)
			refused(t, err, tt.code, "")
		})
	}
}

// TestDeviceCodeReuse: a device code that comes again after its tokens ends them,
// unless it is the device's own quick retry.
func TestDeviceCodeReuse(t *testing.T) {
	g := newGateway(t, withTV)
	d := g.device()
	l, _ := g.signIn(alice)
	g.approve(d, l)
	res, err := g.poll(d)
	if err != nil {
		t.Fatal(err)
	}
	g.pass(500 * time.Millisecond)
	_, err = g.poll(d)
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	if strings.Contains(oauth.AsError(err).Description, "authorization code") {
		t.Errorf("the device is told %q", oauth.AsError(err).Description)
	}
	if !g.passes(res.AccessToken) {
		t.Error("a quick retry has ended the tokens")
	}
	g.pass(time.Second)
	_, err = g.poll(d)
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	if g.passes(res.AccessToken) {
		t.Error("the access token of a device code that came twice passes")
	}
}

func TestDeviceParallel(t *testing.T) {
	g := newGateway(t, withTV)
	d := g.device()
	l, _ := g.signIn(alice)
	g.approve(d, l)
	var ok, invalid atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			switch _, err := g.poll(d); {
			case err == nil:
				ok.Add(1)
			case oauth.AsError(err).Code == oauth.InvalidGrant:
				invalid.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 1 || invalid.Load() != 99 {
		t.Fatalf("%d answers with tokens and %d invalid_grant", ok.Load(), invalid.Load())
	}
}

// TestDeviceUserChanged: what happens to the person between approval and poll wins.
func TestDeviceUserChanged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*gateway)
		reason oauth.Reason
	}{
		{"removed", func(g *gateway) { g.cfg.Accounts = accounts{}; g.reload() }, oauth.ReasonUserChanged},
		{"signed out everywhere", func(g *gateway) {
			if _, err := g.EndUser(t.Context(), alice.Subject); err != nil {
				t.Fatal(err)
			}
		}, oauth.ReasonRevoked},
		{"disabled", func(g *gateway) {
			if _, err := g.DisableUser(t.Context(), storage.TagSubject(alice.Subject), alice.Subject); err != nil {
				t.Fatal(err)
			}
		}, oauth.ReasonRevoked},
		{"disabled and enabled again", func(g *gateway) {
			if _, err := g.DisableUser(t.Context(), storage.TagSubject(alice.Subject), alice.Subject); err != nil {
				t.Fatal(err)
			}
			if _, err := g.EnableUser(t.Context(), storage.TagSubject(alice.Subject)); err != nil {
				t.Fatal(err)
			}
		}, oauth.ReasonRevoked},
		{"all of the client ended", func(g *gateway) {
			if err := g.EndClient(t.Context(), "tv"); err != nil {
				t.Fatal(err)
			}
		}, oauth.ReasonRevoked},
		{"another password", func(g *gateway) {
			changed := alice
			changed.Fingerprint = storage.FingerprintOf("$2a$changed")
			g.cfg.Accounts = accounts{storage.TagSubject(alice.Subject): changed.Fingerprint}
			g.reload()
			g.signIn(changed)
		}, oauth.ReasonRevoked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, withTV)
			d := g.device()
			l, _ := g.signIn(alice)
			g.approve(d, l)
			tt.change(g)
			_, err := g.poll(d)
			refused(t, err, oauth.InvalidGrant, tt.reason)
		})
	}
}

// TestDeviceSession: a device is signed in apart from the browser that has
// approved it. Its own ID token, and a sign-out everywhere, end it.
func TestDeviceSession(t *testing.T) {
	g := newGateway(t, withTV)
	early, late := g.device(), g.device()
	l, cookie := g.signIn(alice)
	g.approve(early, l)
	g.approve(late, l)
	first, err := g.poll(early)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SignOut(t.Context(), cookie); err != nil {
		t.Fatal(err)
	}
	if !g.passes(first.AccessToken) {
		t.Error("the browser's sign-out has ended the device's tokens")
	}
	second, err := g.poll(late) // approved before, asked after
	if err != nil {
		t.Fatal(err)
	}
	hint, err := g.ParseLogoutHint(first.IDToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SignOutHint(t.Context(), hint); err != nil {
		t.Fatal(err)
	}
	if g.passes(first.AccessToken) || !g.passes(second.AccessToken) {
		t.Error("the device's own sign-out must end its tokens, and only its own")
	}
	if _, err := g.EndUser(t.Context(), alice.Subject); err != nil {
		t.Fatal(err)
	}
	if g.passes(second.AccessToken) {
		t.Error("the access token of a device passes after a sign-out everywhere")
	}
	stale := g.device()
	refused(t, g.ApproveDevice(t.Context(), g.find(stale.UserCode), l), oauth.LoginRequired, "")
	_, err = g.poll(stale)
	refused(t, err, oauth.AuthorizationPending, "")
}

// TestF64DeviceEnded: the code of a device yields nothing for as long as it lives, when the
// device's session has ended before it came, or all that the person has, by a word of their
// provider that came late. Access tokens may live shorter than that.
func TestF64DeviceEnded(t *testing.T) {
	ends := map[string]func(g *gateway, r *tokens.DeviceRequest) error{
		"session": func(g *gateway, r *tokens.DeviceRequest) error {
			return g.SignOutHint(t.Context(), &tokens.LogoutHint{Subject: carol.Subject, SessionID: r.Code.SessionID()})
		},
		"person": func(g *gateway, _ *tokens.DeviceRequest) error {
			said := tokens.ProviderLogout{Login: "company", Subject: "c-1", ByID: true, At: g.clock()}
			g.pass(30 * time.Second)
			return g.EndProvided(t.Context(), said)
		},
	}
	for name, end := range ends {
		for _, scope := range []string{tvScope, "openid orders:read"} {
			g := newBriefGateway(t, time.Minute, withTV)
			l, _, err := g.SignInProvided(t.Context(), tokens.Provided{Profile: carol}, "")
			ok(t, err)
			d, err := g.AuthorizeDevice(t.Context(), g.client("tv"), scope, []string{ordersAPI})
			ok(t, err)
			r := g.find(d.UserCode)
			ok(t, g.ApproveDevice(t.Context(), r, l))
			g.pass(time.Second)
			ok(t, end(g, r))
			g.pass(14 * time.Minute)
			if _, err := g.poll(d); err == nil {
				t.Errorf("%s, %s: the device got tokens", name, scope)
			} else {
				refused(t, err, oauth.InvalidGrant, "")
			}
		}
	}
}

// TestDeviceSecretChanges: a person and a device whose codes are of the secret
// before are not lost.
func TestDeviceSecretChanges(t *testing.T) {
	g := newGateway(t, withTV)
	d := g.device()
	g.configureSecrets("b", "a")
	l, _ := g.signIn(alice)
	g.approve(d, l)
	if _, err := g.poll(d); err != nil {
		t.Error(err)
	}
}

func TestParseUserCode(t *testing.T) {
	for _, tt := range []struct {
		name, typed, want string
	}{
		{"as shown", "WDJB-MJHT", "WDJBMJHT"},
		{"lower case", "wdjb-mjht", "WDJBMJHT"},
		{"without dash", "WDJBMJHT", "WDJBMJHT"},
		{"with spaces", "  W D J B \u2013 M J H T \n", "WDJBMJHT"},
		{"a vowel for a letter", "WDJB-MJHA", ""},
		{"too short", "WDJB-MJH", ""},
		{"too long", "WDJB-MJHTT", ""},
		{"empty", "", ""},
		{"Cyrillic", "WDJB-MJН\u0422", ""},
		{"long", strings.Repeat("-", 100) + "WDJBMJHT", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := tokens.ParseUserCode(tt.typed)
			if ok != (tt.want != "") || ok && (got != tt.want || tokens.FormatUserCode(got) != "WDJB-MJHT") {
				t.Errorf("ParseUserCode(%q) = %q, %t", tt.typed, got, ok)
			}
		})
	}
}
