package tokens

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
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
	kind AnswerKind
	busy bool // another node was asking
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

// end tells those who wait.
func (r *rechecks) end(login string, root storage.SessionID, q *recheck) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.roots, root)
	r.count[login]--
	close(q.done)
}

// overdue reports whether a login's provider should be asked again about a person whom it
// vouched for then. A fifth of the time is left to chance, so that those who came
// at nine o'clock are not all asked about at once; for one root it is always the same.
func (i *Issuer) overdue(p *Profile, since time.Time, root storage.SessionID) bool {
	every, _ := i.schedule(p.Login)
	if every == 0 {
		return false
	}
	early := time.Duration(binary.BigEndian.Uint16(root[:])) * (every / 5 / (1 << 16))
	return i.storeNow().Sub(since) >= every-early
}

func (i *Issuer) schedule(login string) (every, grace time.Duration) {
	if i.cfg.Providers == nil {
		return 0, 0
	}
	return i.cfg.Providers.Schedule(login)
}

func (i *Issuer) storeNow() time.Time { return i.state.StoreTime(i.cfg.Clock)() }

// vouched sees to it, at a refresh, that somebody's provider is asked again in time. It
// waits for nobody: the answer counts from the next refresh on. Facts that could not
// be checked beyond the grace serve no longer: then the family ends.
func (i *Issuer) vouched(ctx context.Context, p *Profile, f storage.Family, user storage.UserTag) error {
	every, grace := i.schedule(p.Login)
	if every == 0 {
		return nil
	}
	since := p.Checked
	if since.Before(f.Created) {
		since = f.Created
	}
	if i.storeNow().Sub(since) > every+grace {
		if _, err := i.state.End(ctx, storage.EndRequest{User: user, Scope: storage.EndFamily, Family: f.ID}, history.EndedByProvider); err != nil {
			return err
		}
		i.observe(ctx, oauth.Event{Kind: oauth.EventRecheck, Outcome: oauth.OutcomeOverdue, Subject: p.Subject, User: user, Family: f.ID})
		return oauth.Refuse(oauth.InvalidGrant, oauth.ReasonProviderOverdue, deadRefreshToken)
	}
	if i.overdue(p, since, f.Session) {
		i.recheckLater(user, f.Session, p)
	}
	return nil
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
			defer i.rechecks.end(p.Login, root, q)
			ctx, cancel := context.WithTimeout(context.Background(), recheckTime)
			defer cancel()
			i.recheck(ctx, q, user, root, p)
		})()
	}
	return q
}

func (i *Issuer) recheckRecovered(err error) {
	i.observe(context.Background(), oauth.Event{Kind: oauth.EventBackgroundRecovered, Outcome: oauth.OutcomeRecheck, Cause: err})
}

// Revouched returns a login for which its provider has vouched lately enough: as it is,
// or after it was asked, for which the person waits recheckWait at most. It is nil
// where they have to sign in again. The cookie is that of the login.
func (i *Issuer) Revouched(ctx context.Context, l *Login, cookie string) (*Login, error) {
	since := l.Profile.Checked
	if since.IsZero() {
		since = l.Session.Begun
	}
	if !i.overdue(&l.Profile, since, l.Session.Root) {
		return l, nil
	}
	q := i.recheckLater(l.Session.User, l.Session.Root, &l.Profile)
	if q == nil {
		return nil, nil //nolint:nilnil // nobody vouches for them
	}
	wait, cancel := context.WithTimeout(ctx, recheckWait)
	defer cancel()
	select {
	case <-q.done:
	case <-wait.Done():
		return nil, ctx.Err()
	}
	for look := time.NewTicker(recheckPoll); ; {
		current, err := i.CurrentLogin(ctx, cookie)
		if err != nil || current == nil || current.Profile.Checked.After(l.Profile.Checked) || q.kind == AnswerThin {
			look.Stop()
			return current, err
		}
		if !q.busy { // else another node is asking
			look.Stop()
			return nil, nil //nolint:nilnil // as above
		}
		select {
		case <-look.C:
		case <-wait.Done():
			look.Stop()
			return nil, ctx.Err()
		}
	}
}

// recheck asks a provider about a person, and writes what it says: for the root of a
// login, on one node at a time.
func (i *Issuer) recheck(ctx context.Context, q *recheck, user storage.UserTag, root storage.SessionID, p *Profile) {
	e := oauth.Event{Kind: oauth.EventRecheck, Outcome: oauth.OutcomeUnclear, Subject: p.Subject, User: user, Login: p.Login}
	every, _ := i.schedule(p.Login)
	r := storage.RecheckAnswer{User: user, Root: root, Attempt: i.state.NewAttempt()}
	lease, err := i.state.Store.BeginRecheck(ctx, storage.RecheckRequest{
		User: user, Root: root, Every: every - every/5, Lease: recheckHeld, Attempt: r.Attempt,
	})
	q.busy = lease.Busy
	switch {
	case err != nil:
		e.Cause = err
		i.observe(ctx, e)
		return
	case !lease.Leased:
		return
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
	done, err := i.answered(ctx, lease, answer, r)
	q.kind = answer.Kind
	e.Outcome, e.Cause = recheckOutcome(answer.Kind, done, err), errors.Join(answer.Cause, err)
	i.observe(ctx, e)
}

// answered writes what a provider has said under the lease.
func (i *Issuer) answered(ctx context.Context, lease storage.RecheckLease, a Answer, r storage.RecheckAnswer) (storage.RecheckOutcome, error) {
	r.Answer = storage.ProviderUnclear
	switch a.Kind {
	case AnswerKept:
		known := Profile{Claims: a.Profile.Claims, Groups: a.Profile.Groups, AsOf: lease.Asked, Checked: lease.Asked}
		record, err := known.record()
		if err != nil {
			return 0, err
		}
		r.Answer, r.Person = storage.ProviderKept, record.Person
	case AnswerThin:
		r.Answer = storage.ProviderThin
	case AnswerGone, AnswerNotAllowed:
		r.Answer = storage.ProviderGone
	case AnswerUnclear:
	}
	if r.Answer == storage.ProviderKept || r.Answer == storage.ProviderThin {
		var err error
		if r.Sealed, err = a.Given.seal(i.state.Secrets(), r.User, lease.Session, lease.Seq+1); err != nil {
			return 0, err
		}
	}
	res, err := i.state.EndRecheck(ctx, r)
	if err == nil && a.Kind == AnswerNotAllowed {
		_, err = i.state.End(ctx, storage.EndRequest{User: r.User, Scope: storage.EndUser}, history.EndedByProvider)
	}
	return res.Outcome, err
}

// recheckOutcome is what became of a recheck, for metrics.
func recheckOutcome(kind AnswerKind, done storage.RecheckOutcome, err error) oauth.Outcome {
	switch {
	case err != nil || kind == AnswerUnclear:
		return oauth.OutcomeUnclear
	case kind == AnswerNotAllowed:
		return oauth.OutcomeNotAllowed
	case done == storage.RecheckLost:
		return oauth.OutcomeLost
	case done == storage.RecheckDropped:
		return oauth.OutcomeDoubtful
	case kind == AnswerGone:
		return oauth.OutcomeGone
	case kind == AnswerThin:
		return oauth.OutcomeThin
	}
	return oauth.OutcomeKept
}
