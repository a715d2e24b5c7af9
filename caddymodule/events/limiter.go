package events

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// limiter decides which decisions are told in a log line and an event, so that
// neither a stranger nor an outage can make one for each request. What is the
// same (see eventKey) is told at once, as often as its allowance says; the rest
// is told as one each second, which says how many it stands for.
//
// Its memory is bounded: the rows of a second, at most allowance.rows for each
// kind and outcome. What comes beyond them shares one more row, so a flood about
// one account hides nothing about another.
type limiter struct {
	report background.Report
	seed   maphash.Seed

	mu      sync.Mutex
	rows    map[eventKey]*limiterRow
	crowds  map[eventKey]int // rows of a kind and outcome: the keys have no `who`
	ticking bool
}

// eventKey is what makes decisions the same: the kind, the outcome, and whom they
// are about.
type eventKey struct {
	kind    oauth.EventKind
	outcome oauth.Outcome
	who     uint64
}

// allowance says how much of a kind is told.
type allowance struct {
	atOnce int // of the same in a second, told at once; 0 for all
	rows   int // how many are told apart in a second
}

type limiterRow struct {
	told int
	loud bool              // more came in the second before: all wait for the next tick
	tell func(leftOut int) // the first that was held back; nil for none
	held int               // how many it stands for
}

// limiterPeriod is how often what was held back is told.
const limiterPeriod = time.Second

func newLimiter(report background.Report) *limiter {
	return &limiter{report: report, seed: maphash.MakeSeed(), rows: make(map[eventKey]*limiterRow), crowds: make(map[eventKey]int)}
}

// limitOf says how much is told. What its maker needs an account or the operator's
// rights for is the audit log: it is told whole, unless a program makes it. Refusals,
// failures and alarms are what strangers and outages can repeat.
func limitOf(e oauth.Event) allowance {
	switch e.Kind {
	case oauth.EventTokenIssued, oauth.EventAdmin, oauth.EventKeyRotated:
		return allowance{}
	case oauth.EventCodeIssued, oauth.EventLogout, oauth.EventFamilyEvicted, oauth.EventRevoked:
		return allowance{atOnce: 10, rows: 4096}
	case oauth.EventLogin:
		if e.Outcome == oauth.OutcomeOK {
			return allowance{atOnce: 10, rows: 4096}
		}
	case oauth.EventRefresh:
		if refreshed[e.Outcome] {
			return allowance{atOnce: 10, rows: 4096}
		}
	default:
	}
	if IsAlarm(e.Kind) {
		return allowance{atOnce: 1, rows: 1024}
	}
	return allowance{atOnce: 1, rows: 64}
}

// refreshed are the outcomes of refreshes that brought tokens.
var refreshed = map[oauth.Outcome]bool{
	oauth.OutcomeRotated: true, oauth.OutcomeReplayed: true, oauth.OutcomeKept: true, oauth.OutcomeYoung: true, oauth.OutcomeHealed: true,
}

// keyOf says what a decision has to share to be the same.
func (f *limiter) keyOf(e oauth.Event) eventKey {
	var h maphash.Hash
	h.SetSeed(f.seed)
	for _, part := range []string{e.Client, e.Subject, e.Issuer, e.Login, e.API, e.Endpoint, e.About} {
		_, _ = h.WriteString(part)
		_ = h.WriteByte(0)
	}
	_, _ = h.Write(e.User[:])
	_, _ = h.Write(e.Family[:])
	return eventKey{kind: e.Kind, outcome: e.Outcome, who: h.Sum64()}
}

// tell tells a decision now or with the next tick, or counts it for that. Prepare
// is called for what is told, at once; what it returns may be called later, with
// the number of decisions that were left out for it.
func (f *limiter) tell(key eventKey, limit allowance, prepare func() (tell func(leftOut int))) {
	if limit.atOnce == 0 {
		prepare()(0)
		return
	}
	f.mu.Lock()
	row := f.row(key, limit)
	if row.told < limit.atOnce && row.tell == nil && !row.loud {
		row.told++
		f.mu.Unlock()
		prepare()(0)
		return
	}
	row.held++
	if row.tell == nil {
		row.tell = prepare()
	}
	f.mu.Unlock()
}

// row finds the row of a key, or the one of all that are too many.
func (f *limiter) row(key eventKey, limit allowance) *limiterRow {
	if row := f.rows[key]; row != nil {
		return row
	}
	crowd := eventKey{kind: key.kind, outcome: key.outcome}
	if f.crowds[crowd] >= limit.rows {
		key = crowd
		if row := f.rows[key]; row != nil {
			return row
		}
	}
	row := new(limiterRow)
	f.rows[key] = row
	f.crowds[crowd]++
	if !f.ticking {
		f.ticking = true
		time.AfterFunc(limiterPeriod, background.Safely(f.report, f.tick))
	}
	return row
}

// tick tells what was held back, once a second while there is anything.
func (f *limiter) tick() {
	defer f.flush()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ticking = len(f.rows) > 0; f.ticking {
		time.AfterFunc(limiterPeriod, background.Safely(f.report, f.tick))
	}
}

// flush tells what was held back and forgets who has been quiet since the last time.
func (f *limiter) flush() {
	for _, tell := range f.takeHeld() {
		background.Safely(f.report, tell)()
	}
}

func (f *limiter) takeHeld() (told []func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	loud := make(map[eventKey]*limiterRow)
	crowds := make(map[eventKey]int)
	for key, row := range f.rows {
		if row.tell == nil {
			continue
		}
		tell, leftOut := row.tell, row.held-1
		told = append(told, func() { tell(leftOut) })
		loud[key] = &limiterRow{loud: true}
		crowds[eventKey{kind: key.kind, outcome: key.outcome}]++
	}
	f.rows, f.crowds = loud, crowds
	return told
}
