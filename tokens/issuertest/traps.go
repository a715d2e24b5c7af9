// Package issuertest runs a whole Issuer over the store under test: the promises
// about refresh tokens, the mistakes of other servers, and what histories tell of
// them. What a store alone must do is in storetest.
//
// Begin reading at RunTraps.
package issuertest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

// RunTraps runs, with a whole Issuer over the store, the mistakes that other
// servers have made with refresh tokens, and what their users relied on.
func RunTraps(t *testing.T, open func(t *testing.T) storetest.Harness) {
	for _, trap := range []struct {
		name string
		run  func(*core)
	}{
		{"grace for grandparents", trapGrandparent},
		{"a window that slides", trapSlidingWindow},
		{"grace that returns a dead token", trapDeadSuccessor},
		{"forked chains", trapFork},
		{"one family per user", trapSharedFamily},
		{"a refresh kills the live access token", trapLiveAccessToken},
		{"answers out of order", trapOrder},
		{"store trouble answered with invalid_grant", trapStoreTrouble},
		{"a lost answer over and over", trapLostAnswers},
		{"offline access is switched off", promiseOfflineOff},
		{"offline access of the first API is switched off", promiseFirstAPI},
		{"rotation is switched on and off", promiseModes},
		{"lifetimes", promiseLifetimes},
		{"shorter lifetimes reach live tokens", promiseShorterLifetimes},
		{"the cap under 40 logins at once", promiseCap},
		{"several APIs on one refresh token", promiseAPIs},
		{"a theft as its history tells it", storyOfTheft},
		{"use as its history tells it", storyOfUse},
		{"an end in silence as its history tells it", storyOfExpiry},
		{"a flood of dead tokens as the history tells it", storyOfFlood},
		{"ends as their histories tell them", storyOfEnds},
		{"nobody sees or ends what another person has", storyOfStrangers},
		{"H10: a consent is asked once, and more alone", consentOnce},
		{"H10: a consent to another address", consentAddress},
		{"H10, RT-15: a consent that is withdrawn", consentWithdrawn},
		{"S3: a consent that is withdrawn while the page is open", consentMeanwhile},
		{"a consent to what is gone", consentGone},
	} {
		t.Run(trap.name, func(t *testing.T) {
			t.Parallel()
			trap.run(newCore(t, open(t)))
		})
	}
}

// trapGrandparent: the leeway is for the immediate predecessor. An older
// generation ends the login, however young it is.
func trapGrandparent(c *core) {
	first := c.login("local|alice")
	second := c.refresh(first.RefreshToken)
	third := c.refresh(second.RefreshToken)
	c.dead(first.RefreshToken)
	c.dead(third.RefreshToken)
	if c.passes(third.AccessToken) {
		c.t.Error("the access token of the ended login passes")
	}
}

// trapSlidingWindow: the leeway counts from the rotation. A retry within it
// does not begin it anew.
func trapSlidingWindow(c *core) {
	c.needClock()
	first := c.login("local|alice")
	second := c.refresh(first.RefreshToken)
	for range 4 {
		c.pass(storetest.Leeway / 4 * 9 / 10)
		if again := c.refresh(first.RefreshToken); again.RefreshToken != second.RefreshToken {
			c.t.Fatal("a retry got another successor")
		}
	}
	c.pass(storetest.Leeway / 4)
	c.dead(first.RefreshToken)
	c.dead(second.RefreshToken)
}

// trapDeadSuccessor: a retry never returns a refresh token that is of no use:
// not of a login that was ended, nor one that was used already.
func trapDeadSuccessor(c *core) {
	first := c.login("local|alice")
	second := c.refresh(first.RefreshToken)
	storetest.NoError(c.t, c.Revoke(c.t.Context(), c.client(), second.RefreshToken))
	c.dead(first.RefreshToken)

	first = c.login("local|bob")
	second = c.refresh(first.RefreshToken)
	again := c.refresh(first.RefreshToken)
	if !c.passes(again.AccessToken) {
		c.t.Error("the access token of a retry does not pass")
	}
	c.refresh(again.RefreshToken)
	c.dead(first.RefreshToken) // its successor was used: that is reuse
	c.dead(second.RefreshToken)
}

// trapFork: many uses of one token at once leave one chain, and no branch of it.
func trapFork(c *core) {
	token := c.login("local|alice").RefreshToken
	for round := range 3 {
		var mu sync.Mutex
		successors := make(map[string]bool)
		storetest.Concurrently(30, func(int) {
			res, err := c.tryRefresh(token)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				c.t.Errorf("round %d: %v", round, err)
				return
			}
			successors[res.RefreshToken] = true
		})
		if len(successors) != 1 {
			c.t.Fatalf("round %d: %d successors", round, len(successors))
		}
		for token = range successors {
		}
	}
	if n := c.live(); n != 1 {
		c.t.Errorf("%d live logins", n)
	}
}

// trapSharedFamily: each login is a family of its own. What happens to one
// leaves the user's others alone.
func trapSharedFamily(c *core) {
	phone, laptop, tablet := c.login("local|alice"), c.login("local|alice"), c.login("local|alice")
	second := c.refresh(phone.RefreshToken)
	c.refresh(second.RefreshToken)
	c.dead(phone.RefreshToken) // a theft on the phone
	storetest.NoError(c.t, c.Revoke(c.t.Context(), c.client(), tablet.RefreshToken))
	c.refresh(laptop.RefreshToken)
	for name, want := range map[*tokens.TokenResponse]bool{phone: false, laptop: true, tablet: false} {
		if c.passes(name.AccessToken) != want {
			c.t.Errorf("an access token passes: want %v", want)
		}
	}
	if n := c.live(); n != 1 {
		c.t.Errorf("%d live logins, want the laptop's", n)
	}
}

// trapLiveAccessToken: a refresh leaves the access token before it alone; the
// requests that are under way with it must not fail. The end of the login does not.
func trapLiveAccessToken(c *core) {
	first := c.login("local|alice")
	second := c.refresh(first.RefreshToken)
	third := c.refresh(second.RefreshToken)
	for _, res := range []*tokens.TokenResponse{first, second, third} {
		if !c.passes(res.AccessToken) {
			c.t.Error("a refresh has killed a live access token")
		}
	}
	storetest.NoError(c.t, c.Revoke(c.t.Context(), c.client(), third.RefreshToken))
	for _, res := range []*tokens.TokenResponse{first, second, third} {
		if c.passes(res.AccessToken) {
			c.t.Error("an access token outlives its login")
		}
	}
}

// trapOrder: whichever of two answers a client keeps, it goes on.
func trapOrder(c *core) {
	token := c.login("local|alice").RefreshToken
	for range 5 {
		early, late := c.refresh(token), c.refresh(token)
		token = early.RefreshToken // the later answer came first and was overwritten
		if late.RefreshToken != token {
			c.t.Fatal("two answers to one token differ")
		}
		next := c.refresh(late.RefreshToken)
		if again := c.refresh(token); again.RefreshToken != next.RefreshToken { // a request that was under way
			c.t.Fatal("a late request got another token")
		}
		token = next.RefreshToken
	}
}

// trapStoreTrouble: a store that fails is no reason to throw a refresh token away.
func trapStoreTrouble(c *core) {
	first := c.login("local|alice")
	c.broken.fail(errors.New("calling the store: cut off by the test"))
	for range 3 {
		_, err := c.tryRefresh(first.RefreshToken)
		if e := oauth.AsError(err); e.Code != oauth.TemporarilyUnavailable || e.RetryAfter <= 0 {
			c.t.Fatalf("refresh without a store: %v", err)
		}
	}
	c.broken.fail(nil)
	if second := c.refresh(first.RefreshToken); !c.passes(second.AccessToken) {
		c.t.Error("the access token after the outage does not pass")
	}
}

// trapLostAnswers: a client that loses every second answer and tries again
// stays logged in.
func trapLostAnswers(c *core) {
	token := c.login("local|alice").RefreshToken
	for range 20 {
		c.refresh(token) // and the answer is lost
		c.pass(50 * time.Millisecond)
		token = c.refresh(token).RefreshToken
	}
	if n := c.live(); n != 1 {
		c.t.Errorf("%d live logins", n)
	}
}
