package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Promises are what a history is held against.
type Promises struct {
	// Lag is how long after a confirmed revocation another node may accept an
	// access token. The node that confirmed it has none.
	Lag time.Duration
	// Leeway is how long after a rotation the predecessor gets the same answer.
	// Whoever got no answer within it (Unavailable, Lost) gets that whenever they
	// come again, and it counts anew from there.
	Leeway time.Duration
	// Faults are the times in which the test held something broken. Answers to
	// try again are right in them, and Settle after.
	Faults []Fault
	Settle time.Duration
}

// Fault is something that the test broke.
type Fault struct {
	Start, End time.Duration
	// Lossy: Redis may have lost writes that it had confirmed within LossBefore
	// of Start, or until End: a failover without waiting for replicas.
	Lossy bool
}

// DoubtBefore is how far before a fault a node may have made what it could not
// say, in the fault, to have answered: its predecessor is accepted once more.
const DoubtBefore = 20 * time.Second

// LossBefore is how far before a failover a confirmed write may have been lost.
const LossBefore = time.Second

// Violation is a broken promise.
type Violation struct {
	Promise string // I1 … I6
	Text    string
	Ops     []Op // that show it
}

// String writes it with its operations, a line each.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", v.Promise, v.Text)
	for _, o := range v.Ops {
		fmt.Fprintf(&b, "\n\t%s", o)
	}
	return b.String()
}

// Check returns where a history breaks a promise:
//
//	I1 a code yields at most one set of tokens
//	I2 a family has one live refresh token: each has one successor, which is
//	   repeated within the leeway, or to whoever got no answer in that time
//	   however late, and is not once the successor was used
//	I3 after a confirmed end no refresh succeeds, and no access token on any
//	   node later than the lag
//	I4 an honest client keeps its login: nothing is refused to it unless its
//	   family was ended, or stolen; in particular not since it was told to come
//	   again, or heard nothing, in an outage of any length
//	I5 what was answered 200 is there: by I4, since whatever is missing is refused
//	I6 outside of faults, and the time to settle, all is answered
//
// I7, that nothing grows, is seen from outside: Growth.
func Check(ops []Op, p Promises) []Violation {
	c := &checker{promises: p, families: map[string][]Op{}, codes: map[string][]Op{}}
	ops = slices.Clone(ops)
	slices.SortStableFunc(ops, func(a, b Op) int { return int(a.Start - b.Start) })
	for _, o := range ops {
		c.families[o.Family] = append(c.families[o.Family], o)
		if o.Kind == Redeem {
			c.codes[o.Presented] = append(c.codes[o.Presented], o)
		}
		c.answered(o)
	}
	for _, uses := range c.codes {
		c.once(uses)
	}
	for _, family := range c.families {
		c.oneLive(family)
		c.ended(family)
		c.kept(family)
	}
	slices.SortFunc(c.found, func(a, b Violation) int { return strings.Compare(a.String(), b.String()) })
	return c.found
}

type checker struct {
	promises Promises
	families map[string][]Op
	codes    map[string][]Op
	found    []Violation
}

func (c *checker) broken(promise, text string, ops ...Op) {
	c.found = append(c.found, Violation{Promise: promise, Text: text, Ops: ops})
}

// once is I1.
func (c *checker) once(uses []Op) {
	var got []Op
	for _, o := range uses {
		if o.Verdict == Done {
			got = append(got, o)
		}
	}
	if len(got) > 1 {
		c.broken("I1", "a code was redeemed more than once", got...)
	}
}

// answered is I6.
func (c *checker) answered(o Op) {
	switch {
	case o.Verdict == Broken:
		c.broken("I6", "an answer that is never right", o)
	case o.Verdict == Unavailable && !c.excused(o):
		c.broken("I6", "no service while nothing was broken", o)
	}
}

// excused reports whether an operation touched a fault or the time to settle after it.
func (c *checker) excused(o Op) bool {
	return slices.ContainsFunc(c.promises.Faults, func(f Fault) bool {
		return o.End >= f.Start && o.Start <= f.End+c.promises.Settle
	})
}

// lossy reports whether a write that was confirmed by this operation may be lost.
func (c *checker) lossy(o Op) bool {
	return slices.ContainsFunc(c.promises.Faults, func(f Fault) bool {
		return f.Lossy && o.End >= f.Start-LossBefore && o.Start <= f.End
	})
}

// oneLive is I2. Tokens of a family form a chain; the answers show its links.
func (c *checker) oneLive(family []Op) {
	next := map[string]Op{}    // by the token presented, the first answer
	before := map[string]Op{}  // by the token received
	rotated := map[string]Op{} // by the token presented, the answer that ended first
	for _, o := range family {
		if o.Kind != Refresh || o.Verdict != Done {
			continue
		}
		if first, seen := next[o.Presented]; !seen {
			next[o.Presented] = o
		} else if first.Refresh != o.Refresh {
			c.broken("I2", "a refresh token has two successors", first, o)
		}
		if first, seen := before[o.Refresh]; !seen {
			before[o.Refresh] = o
		} else if first.Presented != o.Presented {
			c.broken("I2", "two refresh tokens have the same successor", first, o)
		}
		if first, seen := rotated[o.Presented]; !seen || o.End < first.End {
			rotated[o.Presented] = o
		}
	}
	for _, o := range family {
		if o.Kind != Refresh || o.Verdict != Done {
			continue
		}
		if first := rotated[o.Presented]; c.tooLate(family, first, o) {
			c.broken("I2", "a refresh token was accepted again after the leeway", first, o)
		}
		if used, seen := rotated[o.Refresh]; seen && used.End < o.Start && !c.lossy(used) {
			c.broken("I2", "a refresh token was accepted after its successor had been used", used, o)
		}
	}
}

// tooLate reports whether a token must not have been accepted again.
func (c *checker) tooLate(family []Op, first, again Op) bool {
	return again.Start > c.acceptedUntil(family, first, again) && !c.lossy(first) && !c.doubted(first, again)
}

// acceptedUntil is until when an operation may be done that presents a token
// again: the leeway counts from the first answer, and anew from each that went to
// somebody who had got none within it.
func (c *checker) acceptedUntil(family []Op, first, again Op) time.Duration {
	until, owed := first.End+c.promises.Leeway, false
	for _, o := range family { // in the order in which they began
		if o.Kind != Refresh || o.Presented != again.Presented || o.Start >= again.Start {
			continue
		}
		switch {
		case (o.Verdict == Unavailable || o.Verdict == Lost) && o.Start <= until:
			owed = true
		case o.Verdict == Done && o.Start > until && owed:
			until, owed = o.End+c.promises.Leeway, false
		}
	}
	if owed {
		return max(until, again.Start)
	}
	return until
}

// doubted reports whether a fault kept the node that had answered first from saying so.
func (c *checker) doubted(first, again Op) bool {
	return slices.ContainsFunc(c.promises.Faults, func(f Fault) bool {
		return first.End >= f.Start-DoubtBefore && again.End >= f.Start && again.Start <= f.End+c.promises.Settle
	})
}

// ended is I3.
func (c *checker) ended(family []Op) {
	var ends []Op // in the order in which they were confirmed
	for _, o := range family {
		if (o.Kind == Revoke || o.Kind == SignOut) && o.Verdict == Done {
			ends = append(ends, o)
		}
	}
	if len(ends) == 0 {
		return
	}
	slices.SortFunc(ends, func(a, b Op) int { return int(a.End - b.End) })
	worst := len(c.found)
	for _, o := range family {
		if o.Verdict == Done {
			c.late(ends, o)
		}
	}
	if n := len(c.found) - worst; n > 1 { // the last one is the worst, and the others say the same
		c.found[worst] = c.found[len(c.found)-1]
		c.found[worst].Text += fmt.Sprintf(", and %d before it", n-1)
		c.found = c.found[:worst+1]
	}
}

// late looks at what succeeded in a family that was ended.
func (c *checker) late(ends []Op, o Op) {
	first := ends[0]
	here := slices.IndexFunc(ends, func(e Op) bool { return e.Node == o.Node })
	switch {
	case o.Kind == Refresh && o.Start > first.End:
		c.broken("I3", "a refresh succeeded after the end was confirmed", first, o)
	case o.Kind != Call:
	case here >= 0 && o.Start > ends[here].End:
		c.broken("I3", "the node that confirmed the end accepted an access token after it", ends[here], o)
	case o.Start > first.End+c.promises.Lag:
		c.broken("I3", fmt.Sprintf("an access token was accepted %v after the end was confirmed", (o.Start-first.End).Round(time.Millisecond)), first, o)
	}
}

// kept is I4.
func (c *checker) kept(family []Op) {
	// From the first of these on the family may be ended, whatever was answered.
	attack := slices.IndexFunc(family, func(o Op) bool { return o.Theft || o.Kind == Revoke || o.Kind == SignOut })
	for _, o := range family {
		if o.Verdict != Refused || o.Theft || attack >= 0 && family[attack].Start <= o.End {
			continue
		}
		if !c.forgiven(family, o) {
			c.broken("I4", "an honest client was refused", o)
		}
	}
}

// forgiven reports whether a refusal has a cause that no promise excludes.
func (c *checker) forgiven(family []Op, o Op) bool {
	if o.Kind == Redeem && (c.triedElse(o) || c.lossyLogin(family, o)) {
		return true // a code is good once: its client signs in again
	}
	begun := slices.IndexFunc(family, func(o Op) bool { return o.Kind == Redeem && o.Verdict == Done })
	return begun >= 0 && c.lossy(family[begun]) // the whole login was lost, before a replica had it
}

// triedElse reports whether the code was also presented otherwise, before or beside this.
func (c *checker) triedElse(o Op) bool {
	return slices.ContainsFunc(c.codes[o.Presented], func(other Op) bool { return other != o && other.Start < o.End })
}

// lossyLogin reports whether the code itself may have been lost.
func (c *checker) lossyLogin(family []Op, redeem Op) bool {
	return slices.ContainsFunc(family, func(o Op) bool { return o.Kind == Login && o.Start < redeem.Start && c.lossy(o) })
}
