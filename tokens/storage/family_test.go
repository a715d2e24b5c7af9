package storage

import (
	"slices"
	"testing"
	"time"
)

var epoch = time.Unix(1_800_000_000, 0)

// liveFamily is a family at generation 5, rotated ten seconds after it began.
func liveFamily() Family {
	return Family{
		Client:      TagClient("spa"),
		Grant:       GrantID{1},
		Generation:  5,
		Created:     epoch,
		AuthTime:    epoch,
		Expires:     epoch.Add(30 * 24 * time.Hour),
		IdleExpires: epoch.Add(15 * 24 * time.Hour),
		Rotated:     epoch.Add(10 * time.Second),
		Attempt:     Attempt{5},
	}
}

// decideTest is a row of the decision table.
type decideTest struct {
	name       string
	presented  uint32
	at         time.Time
	change     func(*Family, *RotateRequest)
	silent     []Silence
	groups     AllOf // the rule; the person is in group 1
	want       RotateOutcome
	generation uint32
}

func TestDecide(t *testing.T) {
	rotated := liveFamily().Rotated
	tests := []decideTest{
		{name: "current rotates", presented: 5, at: rotated.Add(time.Hour), want: Rotated, generation: 6},
		{name: "predecessor at once", presented: 4, at: rotated, want: RotateReplayed, generation: 5},
		{name: "predecessor just inside the leeway", presented: 4, at: rotated.Add(10*time.Second - time.Millisecond), want: RotateReplayed, generation: 5},
		{name: "predecessor at the leeway's end", presented: 4, at: rotated.Add(10 * time.Second), want: RotateReused},
		{name: "grandparent inside the leeway", presented: 3, at: rotated, want: RotateReused},
		{name: "first generation", presented: 1, at: rotated, want: RotateReused},
		{
			name: "M-36: a reuse is spared", presented: 3, at: rotated, want: RotateSpared, generation: 5,
			change: func(_ *Family, r *RotateRequest) { r.Spare = true },
		},
		{
			name: "M-36: with the leeway nothing changes", presented: 4, at: rotated, want: RotateReplayed, generation: 5,
			change: func(_ *Family, r *RotateRequest) { r.Spare = true },
		},
		{
			name: "predecessor without leeway", presented: 4, at: rotated, want: RotateReused,
			change: func(_ *Family, r *RotateRequest) { r.Leeway = 0 },
		},
		{
			name: "the same call sent again without leeway", presented: 4, at: rotated.Add(time.Second), want: Rotated, generation: 5,
			change: func(_ *Family, r *RotateRequest) { r.Leeway, r.Attempt = 0, Attempt{5} },
		},
		{name: "next generation heals", presented: 6, at: rotated.Add(time.Hour), want: RotateHealed, generation: 7},
		{name: "far generation heals", presented: 60, at: rotated.Add(time.Hour), want: RotateHealed, generation: 61},
		{
			name: "kept without rotation", presented: 5, at: rotated.Add(time.Hour), want: RotateKept, generation: 5,
			change: func(_ *Family, r *RotateRequest) { r.Rotation = false },
		},
		{
			name: "heals without rotation", presented: 6, at: rotated.Add(time.Hour), want: RotateHealed, generation: 6,
			change: func(_ *Family, r *RotateRequest) { r.Rotation = false },
		},
		{
			name: "old generation without rotation", presented: 3, at: rotated.Add(time.Hour), want: RotateReused,
			change: func(_ *Family, r *RotateRequest) { r.Rotation = false },
		},
		{name: "absolute end", presented: 5, at: epoch.Add(30 * 24 * time.Hour), want: RotateExpired},
		{name: "idle end", presented: 5, at: epoch.Add(15 * 24 * time.Hour), want: RotateExpired},
		{name: "old generation after the end is expired, not reuse", presented: 1, at: epoch.Add(30 * 24 * time.Hour), want: RotateExpired},
		{
			name: "no ends", presented: 5, at: epoch.Add(10 * 365 * 24 * time.Hour), want: Rotated, generation: 6,
			change: func(f *Family, r *RotateRequest) {
				f.Expires, f.IdleExpires, r.Lifetime, r.IdleLifetime = time.Time{}, time.Time{}, 0, 0
			},
		},
		{
			name: "absolute lifetime shortened", presented: 5, at: epoch.Add(2 * time.Hour), want: RotateExpired,
			change: func(_ *Family, r *RotateRequest) { r.Lifetime = time.Hour },
		},
		{
			name: "idle lifetime shortened", presented: 5, at: epoch.Add(2 * time.Hour), want: RotateExpired,
			change: func(_ *Family, r *RotateRequest) { r.IdleLifetime = time.Hour },
		},
		{
			name: "lifetime lengthened does not revive", presented: 5, at: epoch.Add(31 * 24 * time.Hour), want: RotateExpired,
			change: func(_ *Family, r *RotateRequest) { r.Lifetime, r.IdleLifetime = 0, 0 },
		},
		{
			name: "begun before the client's watermark", presented: 5, at: rotated, want: RotateUnknown,
			change: func(_ *Family, r *RotateRequest) { r.BegunAfter = epoch },
		},
		{
			name: "another client", presented: 5, at: rotated, want: RotateMismatch,
			change: func(_ *Family, r *RotateRequest) { r.Client = TagClient("other") },
		},
		{
			name: "another grant", presented: 5, at: rotated, want: RotateMismatch,
			change: func(_ *Family, r *RotateRequest) { r.Grant = GrantID{2} },
		},
	}
	tests = slices.Concat(tests, unansweredTests(), groupTests())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := liveFamily()
			r := RotateRequest{
				Client: f.Client, Grant: f.Grant, Presented: tt.presented, Rotation: true, Leeway: 10 * time.Second,
				Lifetime: 30 * 24 * time.Hour, IdleLifetime: 15 * 24 * time.Hour, Attempt: Attempt{9}, Groups: tt.groups,
			}
			if tt.change != nil {
				tt.change(&f, &r)
			}
			got, next := Decide(f, []GroupTag{{1}}, r, tt.at, tt.silent...)
			if got != tt.want {
				t.Fatalf("outcome %d, want %d", got, tt.want)
			}
			if got == RotateNotAllowed && next != f {
				t.Errorf("not allowed, and the record is %+v", next)
			}
			if tt.generation != 0 && next.Generation != tt.generation {
				t.Errorf("generation %d, want %d", next.Generation, tt.generation)
			}
			if got == Rotated && f.Attempt != r.Attempt && (next.Attempt != r.Attempt || !next.Rotated.Equal(tt.at)) {
				t.Errorf("rotated by %v at %v", next.Attempt, next.Rotated)
			}
			if next.Created != f.Created || !next.Expires.Equal(f.Expires) && got == Rotated {
				t.Error("rotation moved the absolute end")
			}
		})
	}
}

// TestDecideRepeatsDoNotExtendLeeway presents a predecessor again and again:
// the window is counted from the rotation, not from the last answer.
func TestDecideRepeatsDoNotExtendLeeway(t *testing.T) {
	f := liveFamily()
	r := RotateRequest{Client: f.Client, Grant: f.Grant, Presented: 4, Rotation: true, Leeway: 10 * time.Second}
	for at := time.Duration(0); at < 10*time.Second; at += time.Second {
		outcome, next := Decide(f, nil, r, f.Rotated.Add(at))
		if outcome != RotateReplayed || next != f {
			t.Fatalf("after %s: outcome %d and a changed record", at, outcome)
		}
	}
	if outcome, _ := Decide(f, nil, r, f.Rotated.Add(10*time.Second)); outcome != RotateReused {
		t.Fatalf("outcome %d after the leeway, want reuse", outcome)
	}
}

func TestFamilyRecord(t *testing.T) {
	f := liveFamily()
	f.Session = SessionID{1, 2, 3, 4, 5, 6, 7, 8}
	f.Rotated = f.Rotated.Add(123 * time.Millisecond)
	for _, f := range []Family{f, {Generation: 1, Created: epoch, AuthTime: epoch, Rotated: epoch}} {
		b, err := f.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != familySize || len(b) > 64 {
			t.Fatalf("record of %d bytes", len(b))
		}
		var back Family
		if err := back.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if back != f {
			t.Errorf("read back %+v, want %+v", back, f)
		}
	}
	newer := make([]byte, familySize)
	newer[0] = 2
	if err := new(Family).UnmarshalBinary(newer); err == nil {
		t.Error("a record of a newer version was read")
	}
	if err := new(Family).UnmarshalBinary(newer[:10]); err == nil {
		t.Error("a short record was read")
	}
}
