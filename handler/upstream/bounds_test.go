package upstream

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// M2: 32 exchanges at once, no more; the others are told to come again, and their codes
// are not spent.
func TestM2ExchangesAtOnce(t *testing.T) {
	p := newProvider(t)
	arrived, release := make(chan struct{}, 2*maxExchanges), make(chan struct{})
	p.token = func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		p.grant(w, r)
	}
	o := start(t, p.config())
	d := departure()
	to, err := o.Begin(d)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for range maxExchanges {
		answer := p.authorize(t, to)
		running.Go(func() {
			_, err := o.Finish(t.Context(), d, answer)
			want(t, err, 0, "")
		})
	}
	for range maxExchanges {
		<-arrived
	}
	answer := p.authorize(t, to)
	hungUp, hangUp := context.WithCancel(t.Context())
	hangUp()
	_, err = o.Finish(hungUp, d, answer)
	want(t, err, login.FailedBusy, reasonBusy)
	running.Go(func() { // the next one waits for its turn
		_, err := o.Finish(t.Context(), d, answer)
		want(t, err, 0, "")
	})
	close(release)
	running.Wait()
}

// M2: twenty times within ten seconds the provider was in trouble, or has refused this
// gateway, and nothing is asked for ten more. Who has come meanwhile hears of that trouble.
func TestM2Breaker(t *testing.T) {
	for _, tt := range []struct {
		name    string
		status  int
		code    string
		failure login.Failure
		reason  string
	}{
		{"it is down", http.StatusServiceUnavailable, "", login.FailedDown, reasonUnreachable},
		{"it refuses this gateway", http.StatusUnauthorized, "invalid_client", login.FailedBroken, reasonClient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			p.token = func(w http.ResponseWriter, _ *http.Request) { p.refuse(w, tt.status, tt.code) }
			cfg, clock := p.config(), newClock()
			cfg.Clock = clock.now
			o := start(t, cfg)
			fail := func() {
				t.Helper()
				_, err := p.signIn(t, o, login.Asked{})
				want(t, err, tt.failure, tt.reason)
			}
			for range maxFailures - 1 {
				fail()
			}
			clock.add(breakerPeriod) // too far apart
			fail()
			for range maxFailures - 1 {
				clock.add(time.Millisecond)
				fail()
			}
			before := p.count("/token")
			_, err := p.signIn(t, o, login.Asked{})
			want(t, err, tt.failure, reasonBusy)
			if f := asFailed(err, ""); f.After <= 0 || f.After > breakerPause || p.count("/token") != before {
				t.Errorf("after %s, %d requests", f.After, p.count("/token")-before)
			}
			clock.add(breakerPause)
			p.mu.Lock()
			p.token = nil
			p.mu.Unlock()
			_, err = p.signIn(t, o, login.Asked{})
			want(t, err, 0, "")
		})
	}
}

// M2: a stranger's codes stop nobody: the breaker does not count what they bring about,
// and their reasons are those that package handler holds against an address.
func TestM2MadeUpAnswers(t *testing.T) {
	p := newProvider(t)
	o, d := start(t, p.config()), departure()
	for range 2 * maxFailures {
		_, err := o.Finish(t.Context(), d, url.Values{"state": {d.State}, "code": {"bogus"}})
		want(t, err, login.FailedAgain, "code")
	}
	if n := p.count("/token"); n != 2*maxFailures {
		t.Errorf("%d requests", n)
	}
	for reason, answer := range map[string]url.Values{
		"state":   {"state": {"theirs"}, "code": {"bogus"}},
		"issuer":  {"state": {d.State}, "code": {"bogus"}, "iss": {"https://evil.example"}},
		"no_code": {"state": {d.State}},
	} {
		_, err := o.Finish(t.Context(), d, answer)
		want(t, err, login.FailedForged, reason)
	}
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
}
