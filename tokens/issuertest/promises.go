package issuertest

import (
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

// What docs/development/refresh-tokens.md promises, where the store has a part in it.

// promiseOfflineOff: the switch of an API ends refreshing at the next attempt,
// and the same token is good again when it is back on.
func promiseOfflineOff(c *core) {
	token := c.login("local|alice").RefreshToken
	token = c.refresh(token).RefreshToken
	open := c.cfg.APIs
	closed := *open[0]
	closed.AllowOfflineAccess = false
	c.cfg.APIs = append([]*clients.API{&closed}, open[1:]...)
	c.reload()
	c.dead(token)
	c.cfg.APIs = open
	c.reload()
	c.refresh(token)
	if res := c.login("local|bob", "audience", closedAPI, "scope", "openid offline_access closed:read"); res.RefreshToken != "" {
		c.t.Error("an API without offline access gave a refresh token")
	}
}

// promiseFirstAPI: without an audience a refresh is for the API that was granted
// first, and never for another one; where the switch of one is off, the others
// go on when they are asked for.
func promiseFirstAPI(c *core) {
	token := c.login("local|alice", "audience", ordersAPI, "resource", billingAPI).RefreshToken
	audience := func(a string) func(*tokens.TokenRequest) {
		return func(r *tokens.TokenRequest) { r.Audiences = []string{a} }
	}
	open := c.cfg.APIs
	closed := *open[0]
	closed.AllowOfflineAccess = false
	c.cfg.APIs = append([]*clients.API{&closed}, open[1:]...)
	c.reload()
	c.dead(token)
	c.refused(token, oauth.InvalidGrant, audience(ordersAPI))
	c.refused(token, oauth.InvalidTarget, audience(closedAPI))
	res := c.refresh(token, audience(billingAPI))
	if claims, err := c.CheckAccess(c.t.Context(), res.AccessToken); err != nil || claims.Audience[0] != billingAPI {
		c.t.Errorf("the other API: %+v, %v", claims, err)
	}
	c.cfg.APIs = open
	c.reload()
	res = c.refresh(res.RefreshToken)
	if claims, err := c.CheckAccess(c.t.Context(), res.AccessToken); err != nil || claims.Audience[0] != ordersAPI {
		c.t.Errorf("the first API is back: %+v, %v", claims, err)
	}
}

// promiseModes: a live token moves from one mode to the other at its next use,
// and back.
func promiseModes(c *core) {
	keep := func(p *clients.RefreshPolicy) { p.Rotation = false }
	rotate := func(p *clients.RefreshPolicy) { p.Rotation = true }
	c.reload(keep)
	token := c.login("local|alice").RefreshToken
	for range 3 {
		if got := c.refresh(token).RefreshToken; got != token {
			c.t.Fatal("a token that does not rotate has changed")
		}
	}
	c.reload(rotate)
	next := c.refresh(token).RefreshToken
	if next == token {
		c.t.Fatal("the token does not rotate after the change")
	}
	if again := c.refresh(token).RefreshToken; again != next {
		c.t.Error("a retry at the change got another token")
	}
	next = c.refresh(next).RefreshToken
	c.reload(keep)
	for range 3 {
		if got := c.refresh(next).RefreshToken; got != next {
			c.t.Fatal("the token rotates after the change back")
		}
	}
	c.dead(token) // of two generations before: whoever has it is not the client
	c.dead(next)
}

// promiseLifetimes: the absolute end counts from the login and never moves, the
// idle end from the last use; either may be infinite.
func promiseLifetimes(c *core) {
	c.needClock()
	const day = 24 * time.Hour
	for i, tt := range []struct {
		name             string
		absolute, idle   time.Duration
		use, until, rest time.Duration // used every use until until, then left alone for rest
		ok               bool
	}{
		{"absolute", 30 * day, 0, 7 * day, 28 * day, 2*day + time.Second, false},
		{"just before the absolute end", 30 * day, 0, 7 * day, 28 * day, 2*day - time.Second, true},
		{"idle", 0, 15 * day, 14 * day, 56 * day, 15*day + time.Second, false},
		{"used in time", 0, 15 * day, 14 * day, 56 * day, 15*day - time.Second, true},
		{"both", 30 * day, 15 * day, 10 * day, 20 * day, 10*day + time.Second, false},
		{"infinite", 0, 0, 400 * day, 2000 * day, 2000 * day, true},
	} {
		c.reload(func(p *clients.RefreshPolicy) { p.Lifetime, p.IdleLifetime = tt.absolute, tt.idle })
		subject := "local|" + string(rune('a'+i))
		token := c.login(subject).RefreshToken
		for used := tt.use; used <= tt.until; used += tt.use {
			c.pass(tt.use)
			token = c.refresh(token).RefreshToken
		}
		c.pass(tt.rest)
		if _, err := c.tryRefresh(token); (err == nil) != tt.ok {
			c.t.Errorf("%s: %v, want ok %v", tt.name, err, tt.ok)
		}
	}
}

// promiseShorterLifetimes: a lifetime that is shortened holds for the live
// tokens at their next use; a longer one revives nothing.
func promiseShorterLifetimes(c *core) {
	c.needClock()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name    string
		shorter func(*clients.RefreshPolicy)
	}{
		{"absolute", func(p *clients.RefreshPolicy) { p.Lifetime, p.IdleLifetime = day, day }},
		{"idle", func(p *clients.RefreshPolicy) { p.IdleLifetime = time.Hour }},
		{"from infinite", func(p *clients.RefreshPolicy) { p.Lifetime, p.IdleLifetime = day, 0 }},
	} {
		infinite := func(p *clients.RefreshPolicy) { p.Lifetime, p.IdleLifetime = 0, 0 }
		c.reload(infinite)
		old := c.login("local|" + tt.name)
		c.pass(2 * day)
		young := c.login("local|" + tt.name).RefreshToken
		c.reload(tt.shorter)
		c.dead(old.RefreshToken)
		c.refresh(young)
		c.reload(infinite)
	}
}

// promiseCap: of 40 logins at once exactly as many live as the cap allows, and
// what is dead does not count.
func promiseCap(c *core) {
	const most = 10
	c.reload(func(p *clients.RefreshPolicy) { p.MaxActive = most })
	for range 3 { // ended ones, which must not count
		storetest.NoError(c.t, c.Revoke(c.t.Context(), c.client(), c.login("local|alice").RefreshToken))
	}
	all := make([]*tokens.TokenResponse, 40) // each with a session of its own, of which there may be 50
	storetest.Concurrently(len(all), func(i int) {
		res, err := c.tryLogin("local|alice")
		if err != nil {
			c.t.Errorf("login %d: %v", i, err)
			return
		}
		all[i] = res
	})
	if n := c.live(); n != most {
		c.t.Fatalf("%d live logins, want %d", n, most)
	}
	var good, evicted atomic.Int32
	storetest.Concurrently(len(all), func(i int) {
		if all[i] == nil {
			return
		}
		if _, err := c.tryRefresh(all[i].RefreshToken); err == nil {
			good.Add(1)
		} else {
			evicted.Add(1)
		}
	})
	if good.Load() != most || evicted.Load() != int32(len(all)-most) {
		c.t.Errorf("%d refresh tokens are good and %d are not", good.Load(), evicted.Load())
	}
	c.login("local|bob")
	if n := c.live(); n != most {
		c.t.Errorf("another user's login has changed them: %d live", n)
	}
}

// promiseAPIs: one refresh token serves each API that was granted, one at a time.
func promiseAPIs(c *core) {
	token := c.login("local|alice", "audience", ordersAPI, "resource", billingAPI).RefreshToken
	audience := func(a string) func(*tokens.TokenRequest) {
		return func(r *tokens.TokenRequest) { r.Audiences = []string{a} }
	}
	scope := func(s string) func(*tokens.TokenRequest) {
		return func(r *tokens.TokenRequest) { r.Scope = s }
	}
	for _, tt := range []struct{ api, scope string }{
		{billingAPI, "openid offline_access billing:read"}, {ordersAPI, "openid offline_access orders:read orders:write"}, {billingAPI, "openid offline_access billing:read"},
	} {
		res := c.refresh(token, audience(tt.api))
		claims, err := c.CheckAccess(c.t.Context(), res.AccessToken)
		if err != nil || claims.Audience[0] != tt.api || res.Scope != tt.scope {
			c.t.Errorf("%s: scope %q, %v", tt.api, res.Scope, err)
		}
		token = res.RefreshToken
	}
	c.refused(token, oauth.InvalidTarget, audience(closedAPI))
	c.refused(token, oauth.InvalidTarget, audience("https://other.example.com"))
	c.refused(token, oauth.InvalidScope, scope("orders:delete"))
	c.refused(token, oauth.InvalidScope, scope("closed:read"))
	c.refused(token, oauth.InvalidScope, scope("billing:read")) // of the other API alone
	c.refused(token, oauth.InvalidScope, scope("orders:read"), audience(billingAPI))
	if mixed := c.refresh(token, scope("orders:read billing:read")); mixed.Scope != "orders:read" {
		c.t.Errorf("scope %q of those of two APIs", mixed.Scope)
	}
	if none := c.refresh(token, scope("openid"), audience(billingAPI)); none.Scope != "openid" {
		c.t.Errorf("scope %q of OpenID Connect alone", none.Scope)
	}
	narrow := c.refresh(token, audience(ordersAPI), scope("orders:read"))
	if narrow.Scope != "orders:read" {
		c.t.Errorf("scope %q", narrow.Scope)
	}
	if whole := c.refresh(narrow.RefreshToken); whole.Scope != "openid offline_access orders:read orders:write" {
		c.t.Errorf("scope %q after a narrow one", whole.Scope)
	}
}
