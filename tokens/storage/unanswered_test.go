package storage

import (
	"testing"
	"time"
)

// unansweredTests are the rows of the decision table about generations that were
// perhaps never answered (R1).
func unansweredTests() []decideTest {
	rotated := liveFamily().Rotated
	late := rotated.Add(24 * time.Hour)
	maker := liveFamily().Attempt.Node()
	mark := func(f *Family, _ *RotateRequest) { f.Attempt = unanswered }
	strict := func(f *Family, r *RotateRequest) { f.Attempt, r.Leeway = unanswered, 0 }
	kept := func(f *Family, r *RotateRequest) { f.Attempt, r.Rotation = unanswered, false }
	since := func(at time.Time) []Silence { return []Silence{{Node: NodeMark{9}}, {Node: maker, Since: at}} }
	return []decideTest{
		{name: "R1: unanswered, a day later", presented: 4, at: late, change: mark, want: Rotated, generation: 5},
		{name: "R1: unanswered, at once", presented: 4, at: rotated, change: mark, want: Rotated, generation: 5},
		{name: "R1: unanswered, strict", presented: 4, at: late, change: strict, want: Rotated, generation: 5},
		{name: "R1: unanswered, and the client rotates no more", presented: 4, at: late, change: kept, want: RotateReplayed, generation: 5},
		{name: "R1: unanswered, and yet known to somebody", presented: 5, at: late, change: mark, want: Rotated, generation: 6},
		{name: "R1: unanswered, the grandparent", presented: 3, at: late, change: mark, want: RotateReused},
		{name: "R1: unanswered, after the end", presented: 4, at: epoch.Add(30 * 24 * time.Hour), change: mark, want: RotateExpired},
		{
			name: "R1: unanswered, ended by the watermark", presented: 4, at: late, want: RotateUnknown,
			change: func(f *Family, r *RotateRequest) { f.Attempt, r.BegunAfter = unanswered, epoch },
		},
		{name: "R1: made in a silence", presented: 4, at: late, silent: since(rotated), want: Rotated, generation: 5},
		{name: "R1: made before a silence", presented: 4, at: late, silent: since(rotated.Add(time.Millisecond)), want: RotateReused},
		{name: "R1: made in a silence, young", presented: 4, at: rotated, silent: since(rotated), want: RotateReplayed, generation: 5},
		{name: "R1: made in a silence, the grandparent", presented: 3, at: late, silent: since(rotated), want: RotateReused},
		{name: "R1: made in the silence of another node", presented: 4, at: late, silent: []Silence{{Node: NodeMark{9}}}, want: RotateReused},
		{
			name: "R1: used without rotation, no node has made it", presented: 4, at: late, silent: []Silence{{}}, want: RotateReused,
			change: func(f *Family, _ *RotateRequest) { f.Attempt = Attempt{} },
		},
	}
}

// TestUnanswered: which records are marked.
func TestUnanswered(t *testing.T) {
	f := liveFamily() // rotated by the attempt 5
	for _, tt := range []struct {
		name      string
		presented uint32
		attempts  []Attempt
		asked     time.Duration // after the rotation
		leeway    time.Duration
		attempt   Attempt // of the record
		want      bool
	}{
		{name: "by one of the attempts", presented: 4, attempts: []Attempt{{1}, {5}}, asked: -time.Second, attempt: f.Attempt, want: true},
		{name: "by another one", presented: 4, attempts: []Attempt{{1}}, asked: -time.Second, leeway: time.Hour, attempt: f.Attempt},
		{name: "presented within the leeway", presented: 4, attempts: []Attempt{{1}}, asked: 9 * time.Second, leeway: 10 * time.Second, attempt: f.Attempt, want: true},
		{name: "presented after it", presented: 4, attempts: []Attempt{{1}}, asked: 10 * time.Second, leeway: 10 * time.Second, attempt: f.Attempt},
		{name: "strict", presented: 4, attempts: []Attempt{{1}}, attempt: f.Attempt},
		{name: "not rotated", presented: 5, attempts: []Attempt{{5}}, leeway: time.Hour, attempt: f.Attempt},
		{name: "an old one", presented: 3, attempts: []Attempt{{5}}, leeway: time.Hour, attempt: f.Attempt},
		{name: "used without rotation", presented: 4, attempts: []Attempt{{}}, leeway: time.Hour},
		{name: "marked before", presented: 4, attempt: unanswered, asked: -time.Second, want: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := f
			f.Attempt = tt.attempt
			marked, got := f.Unanswered(UnansweredRequest{Presented: tt.presented, Attempts: tt.attempts, Asked: f.Rotated.Add(tt.asked), Leeway: tt.leeway})
			if got != tt.want || got != (marked.Attempt == unanswered) {
				t.Errorf("marked %v, attempt %v", got, marked.Attempt)
			}
			if f.Attempt = unanswered; got && marked != f {
				t.Errorf("more than the attempt has changed: %+v", marked)
			}
		})
	}
}

// TestUnansweredDoesNotPutOffDetection: who presents what was not answered gets
// it by a rotation of their own; the other one of two who hold the predecessor is
// found out after the leeway.
func TestUnansweredDoesNotPutOffDetection(t *testing.T) {
	f := liveFamily()
	f.Attempt = unanswered
	r := RotateRequest{Client: f.Client, Grant: f.Grant, Presented: 4, Rotation: true, Leeway: 10 * time.Second, Attempt: Attempt{9}}
	now := f.Rotated.Add(time.Hour)
	outcome, f := Decide(f, nil, r, now)
	if outcome != Rotated {
		t.Fatalf("outcome %d", outcome)
	}
	r.Attempt = Attempt{10}
	if outcome, _ := Decide(f, nil, r, now.Add(9*time.Second)); outcome != RotateReplayed {
		t.Errorf("within the leeway: outcome %d", outcome)
	}
	if outcome, _ := Decide(f, nil, r, now.Add(10*time.Second)); outcome != RotateReused {
		t.Errorf("after the leeway: outcome %d", outcome)
	}
}
