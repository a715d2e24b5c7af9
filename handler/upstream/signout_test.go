package upstream

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// logoutToken makes one, as the provider sends it; change may spoil it.
func (p *provider) logoutToken(now time.Time, key *jose.PrivateKey, typ string, change func(object)) string {
	claims := object{
		"iss": p.URL, "aud": "gatehouse", "sub": "00u1", "sid": "s1", "jti": "1", "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"events": object{backChannelEvent: object{}},
	}
	if change != nil {
		change(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	token, err := jose.Sign(key, typ, payload)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// told makes a provider that tells of sign-outs, and a login at it with a clock.
func told(t *testing.T) (*provider, *OIDC, *clock) {
	t.Helper()
	p, clock := newProvider(t), newClock()
	p.metadata = func(d object) { d["backchannel_logout_supported"] = true }
	cfg := p.config()
	cfg.Clock = clock.now
	return p, start(t, cfg), clock
}

// H8, F64, F66: what a logout token must be. All that needs no key is refused without one.
func TestH8LogoutTokens(t *testing.T) {
	p, o, clock := told(t)
	stranger, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	rsa, err := jose.GenerateKey(jose.PS256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.ReadLogout(t.Context(), p.logoutToken(clock.now(), p.key, "logout+jwt", nil)); err != nil {
		t.Fatal(err)
	}
	fetched := p.count("/keys")
	set := func(name string, value any) func(object) { return func(c object) { c[name] = value } }
	without := func(names ...string) func(object) {
		return func(c object) {
			for _, name := range names {
				delete(c, name)
			}
		}
	}
	ago := func(d time.Duration) func(object) { return set("iat", clock.now().Add(-d).Unix()) }
	for _, tt := range []struct {
		name   string
		key    *jose.PrivateKey
		typ    string
		change func(object)
		reason string
		want   login.SignedOut
	}{
		{name: "session", want: login.SignedOut{Session: "s1", Subject: "00u1"}},
		{name: "typ of any JWT", typ: "JWT", want: login.SignedOut{Session: "s1", Subject: "00u1"}},
		{name: "typ in full", typ: "application/logout+jwt", want: login.SignedOut{Session: "s1", Subject: "00u1"}},
		{name: "sub alone", change: without("sid"), want: login.SignedOut{Subject: "00u1"}},
		{name: "sid alone", change: without("sub"), want: login.SignedOut{Session: "s1"}},
		{name: "no exp, as older Keycloak", change: without("exp"), want: login.SignedOut{Session: "s1", Subject: "00u1"}},
		{name: "several audiences", change: set("aud", []string{"other", "gatehouse"}), want: login.SignedOut{Session: "s1", Subject: "00u1"}},
		{name: "F66: AD FS calls the person a session", change: set("sid", "S-1-5-21-1"), want: login.SignedOut{Subject: "00u1"}},
		{name: "typ of an access token", typ: "at+jwt", reason: reasonLogoutToken},
		{name: "typ of another event", typ: "secevent+jwt", reason: reasonLogoutToken},
		{name: "another algorithm", key: rsa, reason: reasonAlgorithm},
		{name: "another issuer", change: set("iss", "https://evil.example.com/"), reason: reasonTokenIssuer},
		{name: "for another client", change: set("aud", "other"), reason: reasonAudience},
		{name: "for nobody", change: without("aud"), reason: reasonAudience},
		{name: "without events", change: without("events"), reason: reasonLogoutToken},
		{name: "another event", change: set("events", object{"https://schemas.openid.net/secevent/risc/event-type/account-disabled": object{}}), reason: reasonLogoutToken},
		{name: "event of another form", change: set("events", object{backChannelEvent: true}), reason: reasonLogoutToken},
		{name: "events of another form", change: set("events", []string{backChannelEvent}), reason: reasonLogoutToken},
		{name: "without jti", change: without("jti"), reason: reasonLogoutToken},
		{name: "jti of another form", change: set("jti", 1), reason: reasonLogoutToken},
		{name: "exp of nothing", change: set("exp", nil), reason: reasonTime},
		{name: "with a nonce", change: set("nonce", "n"), reason: reasonNonce},
		{name: "with an empty nonce", change: set("nonce", nil), reason: reasonNonce},
		{name: "names nobody", change: without("sub", "sid"), reason: reasonSubject},
		{name: "sub of another form", change: set("sub", 1), reason: reasonSubject},
		{name: "sid of another form", change: set("sid", []string{"s1"}), reason: reasonSubject},
		{name: "without iat", change: without("iat"), reason: reasonTime},
		{name: "made 6 minutes ago", change: ago(6 * time.Minute), reason: reasonTime},
		{name: "made in 6 minutes", change: ago(-6 * time.Minute), reason: reasonTime},
		{name: "has ended", change: set("exp", clock.now().Add(-2*time.Minute).Unix()), reason: reasonTime},
		{name: "exp of another form", change: set("exp", "never"), reason: reasonTime},
		{name: "larger than 8 KiB", change: set("x", strings.Repeat("x", 8<<10)), reason: reasonLogoutToken},
		{name: "signed by somebody else", key: stranger.WithID(p.key.ID()), reason: reasonSignature},
	} {
		key, typ := tt.key, tt.typ
		if key == nil {
			key = p.key
		}
		if typ == "" {
			typ = "logout+jwt"
		}
		got, err := o.ReadLogout(t.Context(), p.logoutToken(clock.now(), key, typ, tt.change))
		if tt.reason != "" {
			want(t, err, login.FailedForged, tt.reason)
			if got != nil {
				t.Errorf("%s: %+v", tt.name, got)
			}
			continue
		}
		if err != nil || !got.At.Equal(clock.now().Truncate(time.Second)) {
			t.Fatalf("%s: %+v, %v", tt.name, got, err)
		}
		got.At, tt.want.ByID = time.Time{}, true
		if *got != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
		clock.add(time.Second) // for the pace
	}
	if n := p.count("/keys"); n != fetched {
		t.Errorf("keys were fetched %d times for tokens that are not good", n-fetched)
	}
}

// H8: tokens with keys that nobody knows bring about one fetch in 30 s, take nothing from
// sign-ins, and beyond 20 a second are to be told again.
func TestH8Flood(t *testing.T) {
	p, o, clock := told(t)
	if _, err := o.ReadLogout(t.Context(), p.logoutToken(clock.now(), p.key, "logout+jwt", nil)); err != nil {
		t.Fatal(err)
	}
	before := p.count("/keys")
	var wg sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]int{}
	for i := range 1000 {
		token := p.logoutToken(clock.now(), p.key.WithID(fmt.Sprint("random ", i)), "logout+jwt", nil)
		wg.Go(func() {
			_, err := o.ReadLogout(t.Context(), token)
			mu.Lock()
			defer mu.Unlock()
			outcomes[asFailed(err, "none").Reason]++
		})
	}
	wg.Wait()
	if n := p.count("/keys") - before; n != 1 {
		t.Errorf("%d fetches", n)
	}
	if outcomes[reasonSignature] == 0 || outcomes[reasonSignature] > signOutsAtOnce || outcomes[reasonSignature]+outcomes[reasonBusy] != 1000 {
		t.Errorf("outcomes %v", outcomes)
	}
	// A sign-in after the provider has changed its keys is not held up by that.
	p.mu.Lock()
	p.key, _ = jose.GenerateKey(jose.ES256)
	p.mu.Unlock()
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	// And an honest sign-out passes a moment later.
	clock.add(time.Second)
	if _, err := o.ReadLogout(t.Context(), p.logoutToken(clock.now(), p.key, "logout+jwt", nil)); err != nil {
		t.Errorf("an honest token: %v", err)
	}
}

// H8: while made-up keys have used up the fetch of the moment, the token of a provider that has
// just changed its keys is to be told again, when they may be fetched. One whose key was not
// there in a later fetch is refused for good.
func TestH8NewKeyBesideForgedOnes(t *testing.T) {
	p, o, clock := told(t)
	read := func(token string) error {
		_, err := o.ReadLogout(t.Context(), token)
		return err
	}
	made := func(kid string) string { return p.logoutToken(clock.now(), p.key.WithID(kid), "logout+jwt", nil) }
	if err := read(p.logoutToken(clock.now(), p.key, "logout+jwt", nil)); err != nil {
		t.Fatal(err)
	}
	fetched := p.count("/keys")
	want(t, read(made("made up")), login.FailedForged, reasonSignature) // looked for, now
	clock.add(5 * time.Second)
	p.mu.Lock()
	key, err := jose.GenerateKey(jose.ES256)
	p.key = key
	p.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	honest := p.logoutToken(clock.now(), p.key, "logout+jwt", nil)
	old := made("made up later")
	for range 3 {
		err := read(honest)
		want(t, err, login.FailedBusy, reasonNoKeys)
		if f := asFailed(err, ""); f.After != keyPause-5*time.Second {
			t.Errorf("to be told again after %s", f.After)
		}
		want(t, read(made("made up")), login.FailedBusy, reasonNoKeys)
	}
	if n := p.count("/keys") - fetched; n != 1 {
		t.Errorf("%d fetches", n)
	}
	clock.add(keyPause)
	want(t, read(made("made up")), login.FailedForged, reasonSignature)
	if err := read(honest); err != nil {
		t.Errorf("told again: %v", err)
	}
	want(t, read(old), login.FailedForged, reasonSignature)
	if n := p.count("/keys") - fetched; n != 2 {
		t.Errorf("%d fetches", n)
	}
}

// F63: the browser brings what Entra tells, for every tenant that may come.
func TestF63FrontChannel(t *testing.T) {
	p, o, clock := told(t)
	got, err := o.ReadFrontChannel(p.URL, "s1")
	if err != nil || *got != (login.SignedOut{Session: "s1", At: clock.now()}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, asked := range [][2]string{{"https://evil.example.com", "s1"}, {p.URL, ""}, {p.URL, "S-1-5-21-1"}, {"", "s1"}} {
		_, err := o.ReadFrontChannel(asked[0], asked[1])
		want(t, err, login.FailedForged, reasonIssuer)
	}
	// Strangers who bring more than the pace allows do not keep the provider itself out.
	var busy bool
	for range 2 * signOutsAtOnce {
		_, err := o.ReadFrontChannel(p.URL, "made up")
		busy = busy || asFailed(err, "").Reason == reasonBusy
	}
	if _, err := o.ReadLogout(t.Context(), p.logoutToken(clock.now(), p.key, "logout+jwt", nil)); err != nil || !busy {
		t.Errorf("a logout token beside many made-up sign-outs: %v; the pace counts: %v", err, busy)
	}
	clock.add(time.Minute)
	o.cfg.Issuer, o.cfg.Tenants = "https://login.example.com/"+tenantMark+"/v2.0", []string{"contoso"}
	if _, err := o.ReadFrontChannel("https://login.example.com/contoso/v2.0", "s1"); err != nil {
		t.Error(err)
	}
	_, err = o.ReadFrontChannel("https://login.example.com/fabrikam/v2.0", "s1")
	want(t, err, login.FailedForged, reasonIssuer)
}

// A login whose subject is another claim is found by the provider's own name; one whose
// provider tells of nothing needs no record.
func TestF64NamesOfLogins(t *testing.T) {
	p, o, _ := told(t)
	p.claims = func(c object) { c["sid"], c["oid"] = "s1", "o1" }
	who, err := p.signIn(t, o, login.Asked{})
	if err != nil || who.ProviderSession != "s1" || who.ProviderSubject != "" {
		t.Errorf("%+v, %v", who, err)
	}
	cfg := p.config()
	cfg.Subject = []string{"oid"}
	o = start(t, cfg)
	if who, err = p.signIn(t, o, login.Asked{}); err != nil || who.ProviderSession != "s1" || who.ProviderSubject != "00u1" {
		t.Errorf("%+v, %v", who, err)
	}
	got, err := o.ReadLogout(t.Context(), p.logoutToken(time.Now(), p.key, "logout+jwt", nil))
	if err != nil || got.ByID {
		t.Errorf("%+v, %v", got, err)
	}
	p.metadata = nil
	if who, err = p.signIn(t, start(t, cfg), login.Asked{}); err != nil || who.ProviderSession != "" || who.ProviderSubject != "" {
		t.Errorf("%+v, %v", who, err)
	}
}
