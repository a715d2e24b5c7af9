package admin

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Verdict is what most likely became of a family. The set is closed.
type Verdict string

// The verdicts of Explain.
const (
	VerdictAlive         Verdict = "alive"           // nothing unusual
	VerdictTabRace       Verdict = "tab_race"        // alive; two callers refreshed at once and both were answered
	VerdictLostResponse  Verdict = "lost_response"   // an answer did not arrive; when too late, it ended the family
	VerdictTheft         Verdict = "theft_suspected" // an old token came from another place
	VerdictStoreRollback Verdict = "store_rollback"  // alive; the store had lost a write and was healed
	VerdictExpired       Verdict = "expired"
	VerdictEvicted       Verdict = "evicted"
	VerdictEnded         Verdict = "ended" // by whom stands in the last entry
	VerdictUserChanged   Verdict = "user_changed"
	VerdictNotAllowed    Verdict = "not_allowed" // alive; the person is not in a group that the client is for
	VerdictClientEnded   Verdict = "client_ended"
	VerdictUnknown       Verdict = "unknown"
)

// raceWindow is how far apart two calls of one browser are at most that did not
// know of each other. What comes later had waited for an answer.
const raceWindow = 2 * time.Second

// Explanation is what is known of one family and why it is as it is.
type Explanation struct {
	Family  storage.FamilyID
	Live    *storage.Family    // with the ends that it has as configured now; nil once it has ended
	Subject string             // "" where the user's profile is gone
	Client  tokens.NamedClient // the zero NamedClient where nobody knows it
	Verdict Verdict
	// Rights are the rules that bear on its tokens while it lives.
	Rights []GrantRight
	// ClientEnded is when everything of its client was ended; zero for never.
	ClientEnded time.Time
	History     []history.Entry // the oldest first; none for a family that lives and was not used for storage.HistoryAge
}

// Explain returns what happened to a family lately, by its id or by the id of a
// request about it, as the log shows both. found is false when nothing is known.
// A family that lives and has no history is looked for among all users.
func (o *Operator) Explain(ctx context.Context, id string) (e Explanation, found bool, err error) {
	family, found, err := o.familyOf(ctx, id)
	if err != nil || !found {
		return e, false, err
	}
	histories, err := o.state.History.Of(ctx, family)
	if err != nil {
		return e, false, err
	}
	e = Explanation{Family: family, History: histories[0]}
	if len(e.History) > 0 {
		return e, true, o.lookUp(ctx, &e)
	}
	g, found, err := o.FindGrant(ctx, family)
	if err != nil || !found {
		return e, false, err
	}
	e.Live, e.Subject, e.Verdict = &g.Families[0], g.Subject, VerdictAlive
	names, err := o.issuer.NameClientsOf(ctx, g.User, g.Families...)
	if err != nil {
		return e, true, err
	}
	e.Client = names[0]
	profile, err := o.state.Store.Profile(ctx, g.User)
	if err != nil {
		return e, true, oauth.Unavailable(err)
	}
	err = o.addRights(ctx, &e, g.User, profile)
	return e, true, err
}

// familyOf returns the family that an id of the log is about: its own id, or that
// of a request which stands in a history, or which this node has served lately.
func (o *Operator) familyOf(ctx context.Context, id string) (family storage.FamilyID, found bool, err error) {
	if family, found = storage.ParseFamilyID(id); found {
		return family, true, nil
	}
	request := storage.TagRequest(id)
	family, found, err = o.state.Store.FamilyOfRequest(ctx, request)
	if err != nil {
		return family, false, oauth.Unavailable(err)
	}
	if !found {
		family, found = o.state.History.Served(request)
	}
	return family, found, nil
}

// lookUp adds what the store knows now, and the verdict.
func (o *Operator) lookUp(ctx context.Context, e *Explanation) error {
	user, client := e.History[len(e.History)-1].User, ""
	for _, h := range e.History {
		client = cmp.Or(h.Client, client)
	}
	if client != "" {
		var err error
		if e.ClientEnded, err = o.state.Denylist.ClientWatermark(ctx, o.issuer.TagOf(client)); err != nil {
			return err
		}
		if e.Client, err = o.issuer.NameClient(ctx, user, client); err != nil {
			return err
		}
	}
	profile, err := o.state.Store.Profile(ctx, user)
	if err != nil {
		return oauth.Unavailable(err)
	}
	e.Subject = profile.Subject
	families, err := o.state.Store.ListFamilies(ctx, user)
	if err != nil {
		return oauth.Unavailable(err)
	}
	families = slices.DeleteFunc(families, func(f storage.Family) bool { return f.ID != e.Family })
	over := len(families) > 0 // by what a reload has shortened, unless it lives
	if families, err = o.issuer.Live(ctx, families); err != nil {
		return err
	}
	if len(families) > 0 {
		e.Live = &families[0]
	}
	e.Verdict = verdictOf(e.History, e.Live != nil, e.ClientEnded)
	if c := e.Client.Client; c != nil && e.Verdict == VerdictUnknown {
		over = over || outlived(e.History, c.Refresh.Lifetime, o.cfg.Clock())
	}
	if e.Verdict == VerdictUnknown && over {
		e.Verdict = VerdictExpired
	}
	if e.Live != nil {
		return o.addRights(ctx, e, user, profile)
	}
	return nil
}

// outlived reports whether a family that is gone without a word had reached its
// absolute end when it was refused, or now: the store removes it then, and a
// later request hears of an unknown token. No history shows the idle end, since not
// every use is noted.
func outlived(entries []history.Entry, lifetime time.Duration, now time.Time) bool {
	at := now
	for _, h := range slices.Backward(entries) {
		if h.Kind != history.Refused {
			break
		}
		at = h.Time
	}
	f := storage.Family{Created: entries[0].Time} // or before
	return f.Limited(lifetime, 0).Dead(at)
}

// refusedBy are the verdicts of refusals that tell by themselves how things stand.
var refusedBy = map[oauth.Reason]Verdict{
	oauth.ReasonExpired: VerdictExpired, oauth.ReasonUserChanged: VerdictUserChanged, oauth.ReasonUserDisabled: VerdictUserChanged,
	oauth.ReasonNotAllowed: VerdictNotAllowed,
}

// verdictOf reads a history from its end.
func verdictOf(entries []history.Entry, live bool, clientEnded time.Time) Verdict {
	for n, h := range slices.Backward(entries) {
		switch h.Kind {
		case history.Reused:
			return verdictOnReuse(entries[:n], h)
		case history.Evicted:
			return VerdictEvicted
		case history.Ended:
			return VerdictEnded
		case history.Refused:
			if v, ok := refusedBy[oauth.Reason(h.By)]; ok {
				return v
			}
			continue // the end itself stands before it
		case history.Replayed:
			if live {
				return verdictOnReplay(h)
			}
		case history.Healed:
			if live {
				return VerdictStoreRollback
			}
		case history.Begun, history.Used:
		}
		if live {
			return VerdictAlive
		}
	}
	switch {
	case live:
		return VerdictAlive
	case len(entries) > 0 && !entries[0].Time.Truncate(time.Second).After(clientEnded): // which is in whole seconds
		return VerdictClientEnded
	}
	return VerdictUnknown
}

func verdictOnReplay(h history.Entry) Verdict {
	if h.Age < raceWindow {
		return VerdictTabRace
	}
	return VerdictLostResponse
}

// verdictOnReuse compares the sender of an old token with that of the last refresh.
// The same device at the same address most likely never got the answer to its
// last refresh, or went back to an older copy of its storage.
func verdictOnReuse(before []history.Entry, reuse history.Entry) Verdict {
	for _, h := range slices.Backward(before) {
		switch h.Kind {
		case history.Used, history.Replayed, history.Healed, history.Begun:
			if h.Address == reuse.Address && h.Device == reuse.Device {
				return VerdictLostResponse
			}
			return VerdictTheft
		default:
		}
	}
	return VerdictTheft
}
