package admin

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

func TestVerdict(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	home := history.Entry{Address: "192.0.2.1", Device: "Firefox on Linux"}
	at := func(kind history.Kind, change ...func(*history.Entry)) history.Entry {
		e := home
		e.Kind, e.Time = kind, start
		for _, c := range change {
			c(&e)
		}
		return e
	}
	elsewhere := func(e *history.Entry) { e.Address = "203.0.113.9" }
	otherDevice := func(e *history.Entry) { e.Device = "curl" }
	by := func(who string) func(*history.Entry) { return func(e *history.Entry) { e.By = who } }
	late := func(age time.Duration) func(*history.Entry) { return func(e *history.Entry) { e.Age = age } }

	for _, tt := range []struct {
		name    string
		history []history.Entry
		live    bool
		ended   time.Time
		want    Verdict
	}{
		{"a login", []history.Entry{at(history.Begun)}, true, time.Time{}, VerdictAlive},
		{"in use", []history.Entry{at(history.Begun), at(history.Used)}, true, time.Time{}, VerdictAlive},
		{"two tabs", []history.Entry{at(history.Used), at(history.Replayed, late(30*time.Millisecond))}, true, time.Time{}, VerdictTabRace},
		{"a lost answer, in time", []history.Entry{at(history.Used), at(history.Replayed, late(7*time.Second))}, true, time.Time{}, VerdictLostResponse},
		{"used again since", []history.Entry{at(history.Replayed, late(7*time.Second)), at(history.Used)}, true, time.Time{}, VerdictAlive},
		{"a lost answer, too late", []history.Entry{at(history.Used), at(history.Reused)}, false, time.Time{}, VerdictLostResponse},
		{"a thief comes second", []history.Entry{at(history.Used), at(history.Reused, elsewhere)}, false, time.Time{}, VerdictTheft},
		{"a thief comes first", []history.Entry{at(history.Used), at(history.Used, elsewhere), at(history.Reused)}, false, time.Time{}, VerdictTheft},
		{"a thief behind the same address", []history.Entry{at(history.Used), at(history.Reused, otherDevice)}, false, time.Time{}, VerdictTheft},
		{"reuse of a family of which nothing else is known", []history.Entry{at(history.Reused)}, false, time.Time{}, VerdictTheft},
		{"refused again after the reuse", []history.Entry{at(history.Used), at(history.Reused, elsewhere), at(history.Refused, by(string(oauth.ReasonUnknown)))}, false, time.Time{}, VerdictTheft},
		{"a failover", []history.Entry{at(history.Used), at(history.Healed)}, true, time.Time{}, VerdictStoreRollback},
		{"expired", []history.Entry{at(history.Used), at(history.Refused, by(string(oauth.ReasonExpired)))}, false, time.Time{}, VerdictExpired},
		{"a new password", []history.Entry{at(history.Used), at(history.Refused, by(string(oauth.ReasonUserChanged)))}, false, time.Time{}, VerdictUserChanged},
		{"evicted", []history.Entry{at(history.Used), at(history.Evicted)}, false, time.Time{}, VerdictEvicted},
		{"signed out", []history.Entry{at(history.Used), at(history.Ended, by(history.EndedBySignOut)), at(history.Refused, by(string(oauth.ReasonUnknown)))}, false, time.Time{}, VerdictEnded},
		{"its client was ended", []history.Entry{at(history.Begun)}, false, start, VerdictClientEnded},
		{"its client was ended before it began", []history.Entry{at(history.Begun)}, false, start.Add(-time.Second), VerdictUnknown},
		{"gone without a word", []history.Entry{at(history.Begun), at(history.Used)}, false, time.Time{}, VerdictUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := verdictOf(tt.history, tt.live, tt.ended); got != tt.want {
				t.Errorf("verdict %s, want %s", got, tt.want)
			}
		})
	}
}

// TestOutlived: what is gone without a word is said to have expired only when it
// was past its absolute end as it was refused, whenever somebody asks.
func TestOutlived(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Unix(1_800_000_000, 0)
	after := func(d time.Duration, kind history.Kind) history.Entry {
		return history.Entry{Kind: kind, Time: start.Add(d)}
	}
	policy := clients.RefreshPolicy{Lifetime: 30 * day, IdleLifetime: 15 * day}
	for _, tt := range []struct {
		name    string
		policy  clients.RefreshPolicy
		history []history.Entry
		now     time.Duration
		want    bool
	}{
		{"before the end", policy, []history.Entry{after(0, history.Begun)}, 30*day - time.Second, false},
		{"after the end", policy, []history.Entry{after(0, history.Begun)}, 30*day + time.Second, true},
		{"used until lately", policy, []history.Entry{after(0, history.Begun), after(29*day, history.Used)}, 31 * day, true},
		{"used daily from one place, which is noted once", policy, []history.Entry{after(0, history.Begun)}, 20 * day, false},
		{"refused while young, asked about later", policy, []history.Entry{after(0, history.Begun), after(time.Minute, history.Refused), after(31*day, history.Refused)}, 31 * day, false},
		{"refused after the end", policy, []history.Entry{after(0, history.Begun), after(30*day, history.Refused)}, 60 * day, true},
		{"no absolute end", clients.RefreshPolicy{IdleLifetime: day}, []history.Entry{after(0, history.Begun)}, 60 * day, false},
	} {
		if got := outlived(tt.history, tt.policy.Lifetime, start.Add(tt.now)); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
