package storage

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// A rotation was answered, or the store was told that it was not, or its node is
// silent: see Decide for what follows.
const (
	// DoubtFor is how long before it last vouched for itself a node may have
	// rotated what it had not answered by then: no call takes longer than
	// decisionTime.
	DoubtFor = decisionTime + 5*time.Second
	// SilentAfter is for how long a node that is well does not vouch for itself.
	SilentAfter = 3 * BeatEvery
)

// Silence is a node that can't say whether what it has rotated since then was
// answered: it has died, is cut off, or could not tell yet.
type Silence struct {
	Node  NodeMark
	Since time.Time
}

// SilenceOf returns the silence of a node that last vouched for itself at a given
// time; false if it is not silent.
func SilenceOf(node NodeMark, vouched, now time.Time) (Silence, bool) {
	return Silence{Node: node, Since: vouched.Add(-DoubtFor)}, now.Sub(vouched) > SilentAfter
}

// madeIn reports whether the current generation was made in a silence.
func (f Family) madeIn(s Silence) bool {
	return f.Attempt != (Attempt{}) && f.Attempt.Node() == s.Node && !f.Rotated.Before(s.Since)
}

// UnansweredRequest is about a generation that was presented, and whose
// presenter was told to come again, or has hung up.
type UnansweredRequest struct {
	User      UserTag
	Family    FamilyID
	Presented uint32
	Attempts  []Attempt     // any of which may have rotated it
	Asked     time.Time     // when it was presented first; the store's time
	Leeway    time.Duration // of the client: within it, the successor would have been the answer again
}

// Unanswered returns the record with the mark that its generation was not
// answered; false where it was not made from the one that was presented, or was
// made by another attempt outside of the leeway.
func (f Family) Unanswered(r UnansweredRequest) (Family, bool) {
	owed := f.Attempt == unanswered || slices.Contains(r.Attempts, f.Attempt) ||
		!f.Rotated.After(r.Asked) && r.Asked.Sub(f.Rotated) < r.Leeway
	if r.Presented+1 != f.Generation || f.Attempt == (Attempt{}) || !owed {
		return f, false
	}
	f.Attempt = unanswered
	return f, true
}

// NewNodeMark draws the mark of a process.
func NewNodeMark() (m NodeMark, err error) {
	for m == (NodeMark{}) || m == unanswered.Node() {
		if _, err := rand.Read(m[:]); err != nil {
			return m, fmt.Errorf("reading randomness: %w", err)
		}
	}
	return m, nil
}
