package tokens

import (
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	home := HistoryEntry{Address: "192.0.2.1", Device: "Firefox on Linux"}
	at := func(kind HistoryKind, change ...func(*HistoryEntry)) HistoryEntry {
		e := home
		e.Kind, e.Time = kind, start
		for _, c := range change {
			c(&e)
		}
		return e
	}
	elsewhere := func(e *HistoryEntry) { e.Address = "203.0.113.9" }
	otherDevice := func(e *HistoryEntry) { e.Device = "curl" }
	by := func(who string) func(*HistoryEntry) { return func(e *HistoryEntry) { e.By = who } }
	late := func(age time.Duration) func(*HistoryEntry) { return func(e *HistoryEntry) { e.Age = age } }

	for _, tt := range []struct {
		name    string
		history []HistoryEntry
		live    bool
		ended   time.Time
		want    Verdict
	}{
		{"a login", []HistoryEntry{at(HistoryBegun)}, true, time.Time{}, VerdictAlive},
		{"in use", []HistoryEntry{at(HistoryBegun), at(HistoryUsed)}, true, time.Time{}, VerdictAlive},
		{"two tabs", []HistoryEntry{at(HistoryUsed), at(HistoryReplayed, late(30*time.Millisecond))}, true, time.Time{}, VerdictTabRace},
		{"a lost answer, in time", []HistoryEntry{at(HistoryUsed), at(HistoryReplayed, late(7*time.Second))}, true, time.Time{}, VerdictLostResponse},
		{"used again since", []HistoryEntry{at(HistoryReplayed, late(7*time.Second)), at(HistoryUsed)}, true, time.Time{}, VerdictAlive},
		{"a lost answer, too late", []HistoryEntry{at(HistoryUsed), at(HistoryReused)}, false, time.Time{}, VerdictLostResponse},
		{"a thief comes second", []HistoryEntry{at(HistoryUsed), at(HistoryReused, elsewhere)}, false, time.Time{}, VerdictTheft},
		{"a thief comes first", []HistoryEntry{at(HistoryUsed), at(HistoryUsed, elsewhere), at(HistoryReused)}, false, time.Time{}, VerdictTheft},
		{"a thief behind the same address", []HistoryEntry{at(HistoryUsed), at(HistoryReused, otherDevice)}, false, time.Time{}, VerdictTheft},
		{"reuse of a family of which nothing else is known", []HistoryEntry{at(HistoryReused)}, false, time.Time{}, VerdictTheft},
		{"refused again after the reuse", []HistoryEntry{at(HistoryUsed), at(HistoryReused, elsewhere), at(HistoryRefused, by(string(ReasonUnknown)))}, false, time.Time{}, VerdictTheft},
		{"a failover", []HistoryEntry{at(HistoryUsed), at(HistoryHealed)}, true, time.Time{}, VerdictStoreRollback},
		{"expired", []HistoryEntry{at(HistoryUsed), at(HistoryRefused, by(string(ReasonExpired)))}, false, time.Time{}, VerdictExpired},
		{"a new password", []HistoryEntry{at(HistoryUsed), at(HistoryRefused, by(string(ReasonUserChanged)))}, false, time.Time{}, VerdictUserChanged},
		{"evicted", []HistoryEntry{at(HistoryUsed), at(HistoryEvicted)}, false, time.Time{}, VerdictEvicted},
		{"signed out", []HistoryEntry{at(HistoryUsed), at(HistoryEnded, by(EndedBySignOut)), at(HistoryRefused, by(string(ReasonUnknown)))}, false, time.Time{}, VerdictEnded},
		{"its client was ended", []HistoryEntry{at(HistoryBegun)}, false, start, VerdictClientEnded},
		{"its client was ended before it began", []HistoryEntry{at(HistoryBegun)}, false, start.Add(-time.Second), VerdictUnknown},
		{"gone without a word", []HistoryEntry{at(HistoryBegun), at(HistoryUsed)}, false, time.Time{}, VerdictUnknown},
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
	after := func(d time.Duration, kind HistoryKind) HistoryEntry {
		return HistoryEntry{Kind: kind, Time: start.Add(d)}
	}
	policy := RefreshPolicy{Lifetime: 30 * day, IdleLifetime: 15 * day}
	for _, tt := range []struct {
		name    string
		policy  RefreshPolicy
		history []HistoryEntry
		now     time.Duration
		want    bool
	}{
		{"before the end", policy, []HistoryEntry{after(0, HistoryBegun)}, 30*day - time.Second, false},
		{"after the end", policy, []HistoryEntry{after(0, HistoryBegun)}, 30*day + time.Second, true},
		{"used until lately", policy, []HistoryEntry{after(0, HistoryBegun), after(29*day, HistoryUsed)}, 31 * day, true},
		{"used daily from one place, which is noted once", policy, []HistoryEntry{after(0, HistoryBegun)}, 20 * day, false},
		{"refused while young, asked about later", policy, []HistoryEntry{after(0, HistoryBegun), after(time.Minute, HistoryRefused), after(31*day, HistoryRefused)}, 31 * day, false},
		{"refused after the end", policy, []HistoryEntry{after(0, HistoryBegun), after(30*day, HistoryRefused)}, 60 * day, true},
		{"no absolute end", RefreshPolicy{IdleLifetime: day}, []HistoryEntry{after(0, HistoryBegun)}, 60 * day, false},
	} {
		if got := outlived(tt.history, tt.policy.Lifetime, start.Add(tt.now)); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
