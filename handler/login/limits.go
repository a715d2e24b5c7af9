package login

import (
	"hash/maphash"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// Limits bound how often people may fail to sign in, how often they may succeed,
// and how many passwords are compared at once. All configurations over one store
// share them, so that a reload forgets nothing. Their memory is bounded,
// whatever names and addresses are made up: about 4 MiB. Safe for concurrent use.
type Limits struct {
	places   *limiter // by address
	pairs    *limiter // by address and account
	accounts *limiter // by account
	browsers *limiter // by known browser

	signIns        *pace // by address and account, or by known browser
	accountSignIns *pace // by account, apart for known browsers
	hashes         *clients.HashQueue
}

// How failures are limited: who fails so often waits, twice as long after each
// further failure and never longer than a minute; a failure a minute is
// forgotten. An address may be that of a whole office.
const (
	freePerPair    = 5
	freePerAddress = 25
	freePerAccount = 50
	freePerBrowser = 10
)

// How successes are limited: each begins a session, and costs a hash. A test
// suite, or a room of people with one account, may sign in that often.
const (
	signInsPerPair     = 100 // at once, then
	signInEvery        = time.Second
	signInsPerAccount  = 300 // at once, then
	accountSignInEvery = time.Second / 2
)

// passwordWait is how long the comparison of a password may wait for its turn:
// most load balancers, and people, give up after that.
const passwordWait = time.Minute

// NewLimits makes Limits. Nil makes a queue of its own.
func NewLimits(hashes *clients.HashQueue) *Limits {
	if hashes == nil {
		hashes = clients.NewHashQueue(0)
	}
	return &Limits{
		places: newLimiter(freePerAddress), pairs: newLimiter(freePerPair), accounts: newLimiter(freePerAccount), browsers: newLimiter(freePerBrowser),
		signIns: newPace(signInEvery, signInsPerPair), accountSignIns: newPace(accountSignInEvery, signInsPerAccount),
		hashes: hashes,
	}
}

// limited is one try to sign in, as the limits count it.
type limited struct {
	failures []counted // each of which may hold it up
	own      counted   // forgotten by a success
	signIns  []paced
	job      clients.HashJob
}

type counted struct {
	limiter *limiter
	key     string
}

type paced struct {
	pace *pace
	key  string
}

// of says how a try counts. A known browser has an allowance of its own, which
// nobody else can use up, and which lets it guess no more than that. Anybody else
// is counted by the address, by the account as tried from this address, and by
// the account from anywhere. The last is loose: whoever guesses from one address
// is stopped by the one before, and does not keep the owner out, who comes from
// another.
func (l *Limits) of(account string, a Attempt) limited {
	place := addressKey(a.Address)
	job := clients.HashJob{Class: clients.HashOfPerson, Account: account, Address: place, MaxWait: passwordWait}
	if a.Browser != "" {
		job.Class = clients.HashOfKnownBrowser
		own := counted{l.browsers, a.Browser}
		return limited{
			failures: []counted{own}, own: own,
			signIns: []paced{{l.signIns, "browser " + a.Browser}, {l.accountSignIns, "known " + account}},
			job:     job,
		}
	}
	own := counted{l.pairs, place + " " + account}
	return limited{
		failures: []counted{{l.places, place}, own, {l.accounts, account}}, own: own,
		signIns: []paced{{l.signIns, "pair " + own.key}, {l.accountSignIns, account}},
		job:     job,
	}
}

// wait returns how long to wait before the next try, and counts nothing.
func (t limited) wait(now time.Time) time.Duration {
	var longest time.Duration
	for _, c := range t.failures {
		longest = max(longest, c.limiter.wait(c.key, now))
	}
	for _, s := range t.signIns {
		longest = max(longest, s.pace.wait(s.key, now))
	}
	return longest
}

// begin counts a failure until undo says that it was none. A wait above 0 is
// how long to wait instead.
func (t limited) begin(now time.Time) (undo func(), wait time.Duration) {
	var undone []func()
	undo = func() {
		for _, u := range undone {
			u()
		}
	}
	if wait := t.wait(now); wait > 0 {
		return nil, wait
	}
	for _, c := range t.failures {
		wait, one := c.limiter.begin(c.key, now)
		if wait > 0 {
			undo()
			return nil, wait
		}
		undone = append(undone, one)
	}
	return undo, 0
}

// succeeded counts a success.
func (t limited) succeeded(now time.Time) {
	t.own.limiter.clear(t.own.key)
	for _, s := range t.signIns {
		s.pace.take(s.key, now)
	}
}

// pace limits how often something happens, by a keyed hash in a table of fixed
// size as a limiter does.
type pace struct {
	every time.Duration
	seed  maphash.Seed
	rows  [paceRows]*rate.Limiter
}

const paceRows = 1 << 13

// newPace lets so many happen at once, and then one each time.
func newPace(every time.Duration, burst int) *pace {
	p := &pace{every: every, seed: maphash.MakeSeed()}
	for i := range p.rows {
		p.rows[i] = rate.NewLimiter(rate.Every(every), burst)
	}
	return p
}

func (p *pace) row(key string) *rate.Limiter {
	return p.rows[maphash.String(p.seed, key)%paceRows]
}

// wait returns how long it takes until the next may happen.
func (p *pace) wait(key string, now time.Time) time.Duration {
	if left := p.row(key).TokensAt(now); left < 1 {
		return time.Duration((1 - left) * float64(p.every))
	}
	return 0
}

// take counts one that has happened. Some more than allowed may do so at once.
func (p *pace) take(key string, now time.Time) { p.row(key).AllowN(now, 1) }
