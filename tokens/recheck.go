package tokens

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The bounds of rechecks.
const (
	// recheckTime is how long one may take, and its lease.
	recheckTime = 15 * time.Second
	recheckHeld = 30 * time.Second
	// maxRechecks is how many are under way per login. More are skipped, and counted.
	maxRechecks = 16
	// recheckWait is how long a person waits for one before a code is issued.
	recheckWait = 3 * time.Second
	// recheckPoll is how often somebody looks whether another node has the answer.
	recheckPoll = 250 * time.Millisecond
)

// rechecks are those under way on this node: one for each login's root, and
// maxRechecks for each login.
type rechecks struct {
	mu    sync.Mutex
	roots map[storage.SessionID]*recheck
	count map[string]int
}

// recheck is one question to a provider.
type recheck struct {
	done chan struct{}
	// Once done is closed:
	kind   AnswerKind           // as far as it counted
	lease  storage.RecheckLease // why it was not asked
	failed bool                 // the store could not be asked
}

// start returns the recheck of a root, and whether the caller has to do it. It is nil
// where there are too many.
func (r *rechecks) start(login string, root storage.SessionID) (q *recheck, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q := r.roots[root]; q != nil {
		return q, false
	}
	if r.count[login] >= maxRechecks {
		return nil, false
	}
	if r.roots == nil {
		r.roots, r.count = make(map[storage.SessionID]*recheck), make(map[string]int)
	}
	q = &recheck{done: make(chan struct{})}
	r.roots[root] = q
	r.count[login]++
	return q, true
}

// end makes room for the next one.
func (r *rechecks) end(login string, root storage.SessionID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.roots, root)
	r.count[login]--
}

// recheckLater asks in the background, if nobody does so already. It is nil where too
// many are asked about.
func (i *Issuer) recheckLater(user storage.UserTag, root storage.SessionID, p *Profile) *recheck {
	q, mine := i.rechecks.start(p.Login, root)
	switch {
	case q == nil:
		i.observe(context.Background(), oauth.Event{Kind: oauth.EventRecheck, Outcome: oauth.OutcomeSkipped, Subject: p.Subject, User: user, Login: p.Login})
	case mine:
		go background.Safely(i.recheckRecovered, func() {
			defer close(q.done)
			if e, asked := i.onlyRecheck(q, user, root, p); asked {
				i.observe(context.Background(), e)
			}
		})()
	}
	return q
}

func (i *Issuer) recheckRecovered(err error) {
	i.observe(context.Background(), oauth.Event{Kind: oauth.EventBackgroundRecovered, Outcome: oauth.OutcomeRecheck, Cause: err})
}

// onlyRecheck is recheck while no other of this root may begin on this node. It is over
// before its event is told: who hears of it and asks again is not given its answer.
func (i *Issuer) onlyRecheck(q *recheck, user storage.UserTag, root storage.SessionID, p *Profile) (e oauth.Event, asked bool) {
	defer i.rechecks.end(p.Login, root)
	ctx, cancel := context.WithTimeout(context.Background(), recheckTime)
	defer cancel()
	return i.recheck(ctx, q, user, root, p)
}

// recheck asks a provider about a person, and writes what it says: for the root of a
// login, on one node at a time. It returns what became of that, unless another asks.
func (i *Issuer) recheck(ctx context.Context, q *recheck, user storage.UserTag, root storage.SessionID, p *Profile) (e oauth.Event, asked bool) {
	e = oauth.Event{Kind: oauth.EventRecheck, Outcome: oauth.OutcomeUnclear, Subject: p.Subject, User: user, Login: p.Login}
	every, _ := i.schedule(p.Login)
	r := storage.RecheckAnswer{User: user, Root: root, Attempt: i.state.NewAttempt()}
	lease, err := i.lease(ctx, &r, every-every/5)
	q.lease = lease
	switch {
	case err != nil:
		e.Cause, q.failed = err, true
		return e, true
	case !lease.Leased:
		return e, false
	}
	r.Seq = lease.Seq
	given, err := openGiven(i.state.Secrets(), lease.Sealed, user, lease.Session, lease.Seq)
	answer := Answer{Cause: err}
	if err == nil {
		answer = i.cfg.Providers.Ask(ctx, p.Login, p.Subject, given)
	}
	if answer.Given != nil {
		news := *answer.Given
		news.ID, answer.Given = given.ID, &news
	}
	if answer.Kind == AnswerKept && answer.GroupsUnknown && len(p.Groups) > 0 {
		answer.Kind = AnswerThin
	}
	device := r.Root != root // it has a session of its own
	done, err := i.answered(ctx, p.Login, lease, answer, r)
	if err == nil && done != storage.RecheckLost && done != storage.RecheckDropped {
		q.kind = answer.Kind
	}
	if err == nil && device && done == storage.RecheckEnded {
		_, err = i.state.End(ctx, storage.EndRequest{User: user, Scope: storage.EndSession, Session: root}, history.EndedByProvider)
	}
	e.Outcome, e.Cause = recheckOutcome(answer.Kind, done, err), errors.Join(answer.Cause, err)
	return e, true
}

// lease leases the check of a root. A device has a root of its own, and what its person's
// provider gave stands under the one of the browser in which they let it in.
func (i *Issuer) lease(ctx context.Context, r *storage.RecheckAnswer, every time.Duration) (storage.RecheckLease, error) {
	ask := storage.RecheckRequest{User: r.User, Root: r.Root, Every: every, Lease: recheckHeld, Attempt: r.Attempt}
	lease, err := i.state.Store.BeginRecheck(ctx, ask)
	if err != nil || lease.Leased || lease.Busy || lease.Lately {
		return lease, err
	}
	found, err := i.state.Store.FindIndex(ctx, deviceIndex(r.Root))
	if err != nil || len(found) == 0 || found[0].User != r.User {
		return lease, err
	}
	r.Root, ask.Root = found[0].Root, found[0].Root
	return i.state.Store.BeginRecheck(ctx, ask)
}

// deviceIndex is where the root of the login that let a device in is found by the device's.
func deviceIndex(device storage.SessionID) storage.IndexKey {
	return storage.IndexKey(storage.Hash16("device-root", device[:]))
}

// maxDeviceIndex is how long that is kept where the device's tokens have no end.
const maxDeviceIndex = 400 * 24 * time.Hour

// noteDevice notes which login lets a device in, where its provider is asked again.
func (i *Issuer) noteDevice(ctx context.Context, l *Login, device storage.SessionID, c *clients.Client) error {
	if every, _ := i.schedule(l.Profile.Login); every == 0 {
		return nil
	}
	err := i.state.Store.PutIndex(ctx, storage.IndexRequest{
		Key: deviceIndex(device), Indexed: storage.Indexed{User: l.Session.User, Root: l.Session.Root}, Lifetime: cmp.Or(c.Refresh.KeepsGrants(), maxDeviceIndex),
	})
	if err != nil {
		return oauth.Unavailable(err)
	}
	return nil
}

// answered writes what a provider has said under the lease.
func (i *Issuer) answered(ctx context.Context, login string, lease storage.RecheckLease, a Answer, r storage.RecheckAnswer) (storage.RecheckOutcome, error) {
	var unkept error // why the facts are not
	r.Answer = storage.ProviderUnclear
	switch a.Kind {
	case AnswerKept:
		known := Profile{Claims: a.Claims, Groups: i.cfg.People.Keep(login, a.Groups), AsOf: lease.Asked, Checked: lease.Asked}
		record, err := known.record()
		r.Answer, r.Person = storage.ProviderKept, record.Person
		if err != nil { // the login is good, and what it gave must not be lost
			r.Answer, unkept = storage.ProviderThin, err
		}
	case AnswerThin:
		r.Answer = storage.ProviderThin
	case AnswerGone, AnswerNotAllowed:
		r.Answer = storage.ProviderGone
	case AnswerLost:
		r.Answer = storage.ProviderLost
	case AnswerUnclear:
	}
	if r.Answer == storage.ProviderKept || r.Answer == storage.ProviderThin {
		var err error
		if r.Sealed, err = a.Given.seal(i.state.Secrets(), r.User, lease.Session, lease.Seq+1); err != nil {
			return 0, err
		}
	}
	res, err := i.state.EndRecheck(ctx, r)
	if err == nil && a.Kind == AnswerNotAllowed && res.Outcome != storage.RecheckLost { // else they have signed in since
		_, err = i.state.End(ctx, storage.EndRequest{User: r.User, Scope: storage.EndUser}, history.EndedByProvider)
	}
	return res.Outcome, errors.Join(err, unkept)
}

// recheckOutcome is what became of a recheck, for metrics.
func recheckOutcome(kind AnswerKind, done storage.RecheckOutcome, err error) oauth.Outcome {
	switch {
	case err != nil || kind == AnswerUnclear || kind == AnswerLost:
		return oauth.OutcomeUnclear
	case done == storage.RecheckLost:
		return oauth.OutcomeLost
	case kind == AnswerNotAllowed:
		return oauth.OutcomeNotAllowed
	case done == storage.RecheckDropped:
		return oauth.OutcomeDoubtful
	case kind == AnswerGone:
		return oauth.OutcomeGone
	case kind == AnswerThin:
		return oauth.OutcomeThin
	}
	return oauth.OutcomeKept
}
