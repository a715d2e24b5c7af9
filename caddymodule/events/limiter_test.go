package events

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	logtest "go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// floodedObserver is an observer whose lines are kept.
func floodedObserver() (*Observer, *logtest.ObservedLogs, *Metrics) {
	core, logs := logtest.New(zapcore.DebugLevel)
	m := NewMetrics()
	return NewObserver(zap.New(core), m, nil), logs, m
}

// leftOut adds up what lines stand for, themselves included.
func toldOf(logs []logtest.LoggedEntry) (told int) {
	for _, l := range logs {
		n, _ := l.ContextMap()["left_out"].(int64)
		told += 1 + int(n)
	}
	return told
}

// A6, R10: what strangers and outages can repeat wrote a line for each request.
// Ten seconds of it at 600 a second are a dozen lines, which say how many they stand for.
func TestFloodOfLines(t *testing.T) {
	user := storage.TagSubject("local|alice")
	family := storage.FamilyKey{1}.ID()
	for name, e := range map[string]oauth.Event{
		"A6: wrong logins":             {Kind: oauth.EventLogin, Outcome: "failed", Client: "my-spa", About: "local alice"},
		"A6: delayed logins":           {Kind: oauth.EventLogin, Outcome: "delayed", Client: "my-spa", About: "local alice"},
		"A6: a dead refresh token":     {Kind: oauth.EventRefresh, Outcome: oauth.Outcome(oauth.ReasonRevoked), Client: "my-spa", User: user, Family: family},
		"A6: a refused refresh":        {Kind: oauth.EventTokenRefused, Outcome: oauth.Outcome(oauth.ReasonUserChanged), Client: "my-spa"},
		"A6: repeated revocations":     {Kind: oauth.EventRevoked, Outcome: "refresh_token", Client: "my-spa", User: user, Family: family},
		"A6: a reuse again and again":  {Kind: oauth.EventRefreshReuse, Outcome: "reuse", Client: "my-spa", User: user, Family: family},
		"A6: a spent code":             {Kind: oauth.EventCodeReuse, Outcome: "code_spent", Client: "my-spa", User: user},
		"A6: repeated logouts":         {Kind: oauth.EventLogout, Outcome: "ok", Subject: "local|alice"},
		"R10: the store is away":       {Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeGuard},
		"R10: the store will not open": {Kind: oauth.EventStoreTrouble, Outcome: "open"},
		"R10: clients":                 {Kind: oauth.EventClientAuth, Outcome: oauth.Outcome(oauth.ReasonUnknownClient)},
		"R10: codes of devices":        {Kind: oauth.EventDevice, Outcome: "wrong_code", Subject: "local|bob"},
		"R10: DPoP":                    {Kind: oauth.EventTokenRefused, Outcome: oauth.Outcome(oauth.ReasonProof), Client: "my-spa"},
		"R10: keys of an issuer":       {Kind: oauth.EventIssuerKeys, Outcome: oauth.KeysStale, Issuer: "https://idp.example/"},
		"R10: an old secret":           {Kind: oauth.EventSecretFallback, Outcome: "presented"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, logs, m := floodedObserver()
				const each, seconds = 600, 10
				for range each * seconds {
					o.Happened(t.Context(), e)
					time.Sleep(time.Second / each)
				}
				if logs.Len() == 0 || toldOf(logs.All()[:1]) != 1 {
					t.Error("the first is not told at once")
				}
				time.Sleep(2 * limiterPeriod)
				synctest.Wait()
				if n := logs.Len(); n < seconds || n > 2*seconds+2 {
					t.Errorf("%d lines in %d seconds, want about one a second", n, seconds)
				}
				if got := toldOf(logs.All()); got != each*seconds {
					t.Errorf("the lines stand for %d, want %d", got, each*seconds)
				}
				if got := int(counterValue(t, m.events[e.Kind][e.Outcome])); got != each*seconds {
					t.Errorf("counted %d, want %d", got, each*seconds)
				}
				// After a quiet second the next is told at once again.
				before := logs.Len()
				o.Happened(t.Context(), e)
				if logs.Len() != before+1 {
					t.Error("the first after the flood is not told at once")
				}
				time.Sleep(2 * limiterPeriod)
			})
		})
	}
}

// A6: a flood about one account hid the first failure of another.
func TestFloodAboutOneHidesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, logs, _ := floodedObserver()
		wrong := func(name string) {
			o.Happened(t.Context(), oauth.Event{Kind: oauth.EventLogin, Outcome: "failed", Client: "my-spa", About: "local " + name})
		}
		for range 1000 {
			wrong("alice")
		}
		before := logs.Len()
		wrong("bob")
		if before != 1 || logs.Len() != 2 {
			t.Errorf("%d lines about alice, then %d about bob, want 1 and 1", before, logs.Len()-before)
		}
		for _, l := range logs.All() {
			if text := fmt.Sprint(l.ContextMap()); strings.Contains(text, "alice") || strings.Contains(text, "bob") {
				t.Errorf("a name that was typed is in the log: %s", text)
			}
		}
		time.Sleep(3 * limiterPeriod)
	})
}

// A6: the memory is bounded whatever names come, and so are the lines.
func TestFloodOfNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, logs, _ := floodedObserver()
		const names = 100_000
		for n := range names {
			o.Happened(t.Context(), oauth.Event{Kind: oauth.EventLogin, Outcome: "failed", About: fmt.Sprint(n)})
		}
		o.limiter.mu.Lock()
		rows := len(o.limiter.rows)
		o.limiter.mu.Unlock()
		if rows > 65 {
			t.Errorf("%d rows", rows)
		}
		time.Sleep(3 * limiterPeriod)
		synctest.Wait()
		if n := logs.Len(); n > 70 || toldOf(logs.All()) != names {
			t.Errorf("%d lines that stand for %d, want few, for %d", n, toldOf(logs.All()), names)
		}
		if len(o.limiter.rows) != 0 || len(o.limiter.crowds) != 0 || o.limiter.ticking {
			t.Error("rows are left after the flood")
		}
	})
}

// The audit log is whole: 500 people sign in within a second, and a busy machine gets its tokens.
func TestFloodLeavesTheAuditLogWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, logs, _ := floodedObserver()
		const people = 500
		for n := range people {
			o.Happened(t.Context(), oauth.Event{Kind: oauth.EventLogin, Outcome: "ok", Subject: fmt.Sprint("local|", n)})
			o.Happened(t.Context(), oauth.Event{Kind: oauth.EventTokenIssued, Outcome: "ok", Client: "machine"})
		}
		if n := logs.Len(); n != 2*people {
			t.Errorf("%d lines, want %d", n, 2*people)
		}
		time.Sleep(2 * limiterPeriod)
	})
}

// What is held back at the end of a configuration is told.
func TestFloodAtTheEnd(t *testing.T) {
	o, logs, _ := floodedObserver()
	for range 5 {
		o.Happened(t.Context(), oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: "open"})
	}
	o.limiter.flush()
	if got := toldOf(logs.All()); got != 5 {
		t.Errorf("%d are told, want 5", got)
	}
}

func TestFloodInParallel(t *testing.T) {
	o, logs, _ := floodedObserver()
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 1000 {
				o.Happened(context.Background(), oauth.Event{Kind: oauth.EventClientAuth, Outcome: "bad_secret"})
			}
		})
	}
	running.Wait()
	o.limiter.flush()
	if got := toldOf(logs.All()); got != 8000 {
		t.Errorf("%d are told, want 8000", got)
	}
}
