package storage

import (
	"testing"
	"time"
)

// groupTests are the rows of C1: whatever would be answered with tokens is not allowed, and
// nothing else is hidden by it.
func groupTests() []decideTest {
	rotated := liveFamily().Rotated
	lost, kept := AllOf{{{2}}}, AllOf{{{2}, {1}}, {{1}}}
	without := func(_ *Family, r *RotateRequest) { r.Rotation = false }
	return []decideTest{
		{name: "C1: rotated by one of the group", presented: 5, at: rotated, groups: kept, want: Rotated, generation: 6},
		{name: "C1: one rule of two holds", presented: 5, at: rotated, groups: AllOf{{{1}}, {{2}}}, want: RotateNotAllowed, generation: 5},
		{name: "C1: a rule without groups", presented: 5, at: rotated, groups: AllOf{{}}, want: RotateNotAllowed, generation: 5},
		{name: "C1: in place of rotated", presented: 5, at: rotated.Add(time.Hour), groups: lost, want: RotateNotAllowed, generation: 5},
		{name: "C1: in place of replayed", presented: 4, at: rotated, groups: lost, want: RotateNotAllowed, generation: 5},
		{name: "C1: in place of kept", presented: 5, at: rotated, groups: lost, want: RotateNotAllowed, generation: 5, change: without},
		{name: "C1: in place of healed", presented: 9, at: rotated, groups: lost, want: RotateNotAllowed, generation: 5},
		{
			name: "C1: in place of young", presented: 5, at: rotated, groups: lost, want: RotateNotAllowed, generation: 5,
			change: func(_ *Family, r *RotateRequest) { r.Settle = time.Minute },
		},
		{name: "C1: reuse is reuse", presented: 3, at: rotated, groups: lost, want: RotateReused},
		{name: "C1: expired is expired", presented: 5, at: rotated.Add(31 * 24 * time.Hour), groups: lost, want: RotateExpired},
		{
			name: "C1: another client", presented: 5, at: rotated, groups: lost, want: RotateMismatch,
			change: func(_ *Family, r *RotateRequest) { r.Client = TagClient("other") },
		},
		{
			name: "C1: ended is ended", presented: 5, at: rotated, groups: lost, want: RotateUnknown,
			change: func(_ *Family, r *RotateRequest) { r.BegunAfter = epoch },
		},
	}
}

func TestAllow(t *testing.T) {
	for _, c := range []struct {
		name   string
		rules  AllOf
		groups []GroupTag
		want   bool
	}{
		{"no rule", nil, nil, true},
		{"no groups", AllOf{{{1}}}, nil, false},
		{"any of them", AllOf{{{2}, {1}}}, []GroupTag{{1}}, true},
		{"all rules", AllOf{{{1}}, {{2}}}, []GroupTag{{1}, {2}}, true},
		{"one rule", AllOf{{{1}}, {{2}}}, []GroupTag{{1}}, false},
		{"nobody is in none", AllOf{{}}, []GroupTag{{1}}, false},
	} {
		if got := c.rules.Allow(c.groups); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
