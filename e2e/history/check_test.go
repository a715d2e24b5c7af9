package history

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// at makes the times of an operation: 10 ms from the given second on.
func at(second float64, o Op) Op {
	o.Start = time.Duration(second * float64(time.Second))
	if o.End == 0 {
		o.End = o.Start + 10*time.Millisecond
	}
	if o.Family == "" {
		o.Family = "f"
	}
	if o.Node == "" {
		o.Node = "A"
	}
	return o
}

func refresh(presented, got string) Op {
	return Op{Kind: Refresh, Verdict: Done, Presented: presented, Refresh: got, Access: "a" + got}
}

func refused(kind Kind, presented string) Op {
	return Op{Kind: kind, Verdict: Refused, Presented: presented}
}

func untold(presented string) Op {
	return Op{Kind: Refresh, Verdict: Unavailable, Presented: presented}
}

func with(o Op, change func(*Op)) Op {
	change(&o)
	return o
}

var (
	redeemed = at(1, Op{Kind: Redeem, Verdict: Done, Presented: "code", Refresh: "t1", Access: "at1"})
	revoked  = at(5, Op{Kind: Revoke, Verdict: Done, Presented: "t1"})
	onB      = func(o *Op) { o.Node = "B" }
	thief    = func(o *Op) { o.Theft = true }
)

// TestCheck shows the checker histories that are right and ones that are not:
// it must be able to fail.
func TestCheck(t *testing.T) {
	call := Op{Kind: Call, Verdict: Done, Presented: "at1"}
	outage := Fault{Start: 3 * time.Second, End: 6 * time.Second}
	lossy := outage
	lossy.Lossy = true
	for _, c := range []struct {
		name   string
		ops    []Op
		faults []Fault
		want   string // the promises that are broken
	}{
		{name: "nothing"},
		{name: "a chain", ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(3, refresh("t2", "t3")), at(4, call)}},
		{name: "the same answer again", ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(3, with(refresh("t1", "t2"), onB))}},
		{name: "a code twice", ops: []Op{redeemed, at(1.5, Op{Kind: Redeem, Verdict: Done, Presented: "code", Refresh: "t9"})}, want: "I1"},
		{name: "a code of two logins", ops: []Op{redeemed, at(1.5, Op{Kind: Redeem, Verdict: Done, Presented: "code", Family: "g"})}, want: "I1"},
		{name: "a code refused the second time", ops: []Op{redeemed, at(1.5, refused(Redeem, "code"))}},
		{name: "a code refused beside another", ops: []Op{redeemed, at(1.002, refused(Redeem, "code"))}},
		{name: "a code refused the first time", ops: []Op{at(1.5, refused(Redeem, "code"))}, want: "I4"},
		{name: "two successors", ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(2, refresh("t1", "t3"))}, want: "I2"},
		{name: "one successor of two", ops: []Op{redeemed, at(2, refresh("t1", "t3")), at(2.1, refresh("t2", "t3"))}, want: "I2"},
		{name: "again after the leeway", ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(13, refresh("t1", "t2"))}, want: "I2"},
		{name: "R1: again after an outage", faults: []Fault{outage}, ops: []Op{redeemed, at(4, untold("t1")), at(60, refresh("t1", "t2"))}},
		{name: "R1: refused after an outage", faults: []Fault{outage}, ops: []Op{redeemed, at(4, untold("t1")), at(60, refused(Refresh, "t1"))}, want: "I4"},
		{name: "R1: the answer was lost, then an outage", faults: []Fault{outage}, ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(4, untold("t1")), at(60, refresh("t1", "t2"))}},
		{
			name: "R1: and once more within the leeway", faults: []Fault{outage},
			ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(4, untold("t1")), at(60, refresh("t1", "t2")), at(69, refresh("t1", "t2"))},
		},
		{
			name: "R1: and once more after the leeway", faults: []Fault{outage}, want: "I2",
			ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(4, untold("t1")), at(60, refresh("t1", "t2")), at(71, refresh("t1", "t2"))},
		},
		{
			name: "R1: told to come again when the leeway was over", faults: []Fault{outage}, want: "I2",
			ops: []Op{with(redeemed, func(o *Op) { o.Start, o.End = -40*time.Second, -39*time.Second }), at(-30, refresh("t1", "t2")), at(4, untold("t1")), at(60, refresh("t1", "t2"))},
		},
		{
			name: "R1: again though the successor was used", faults: []Fault{outage}, want: "I2",
			ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(4, untold("t1")), at(7, refresh("t2", "t3")), at(60, refresh("t1", "t2"))},
		},
		{name: "again when its node could not say", faults: []Fault{outage}, ops: []Op{at(-20, redeemed), at(-14, refresh("t1", "t2")), at(6.1, refresh("t1", "t2"))}},
		{name: "again long after a fault", faults: []Fault{outage}, ops: []Op{at(-20, redeemed), at(-14, refresh("t1", "t2")), at(12, refresh("t1", "t2"))}, want: "I2"},
		{name: "again after the successor", ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(3, refresh("t2", "t3")), at(4, refresh("t1", "t2"))}, want: "I2"},
		{name: "again beside the successor", ops: []Op{redeemed, at(2, with(refresh("t1", "t2"), func(o *Op) { o.End = 4 * time.Second })), at(2, refresh("t1", "t2")), at(3, refresh("t2", "t3"))}},
		{name: "an old one after lost writes", faults: []Fault{lossy}, ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(2.5, refresh("t2", "t3")), at(7, refresh("t1", "t2"))}},
		{name: "refreshed after a revocation", ops: []Op{redeemed, revoked, at(5.2, with(refresh("t1", "t2"), onB))}, want: "I3"},
		{name: "refreshed beside a revocation", ops: []Op{redeemed, revoked, at(4.9, with(refresh("t1", "t2"), func(o *Op) { o.End = 6 * time.Second }))}},
		{name: "called at the same node", ops: []Op{redeemed, revoked, at(5.1, call)}, want: "I3"},
		{name: "called elsewhere within the lag", ops: []Op{redeemed, revoked, at(5.9, with(call, onB))}},
		{name: "called elsewhere after the lag", ops: []Op{redeemed, revoked, at(6.1, with(call, onB))}, want: "I3"},
		{name: "called after a sign-out", ops: []Op{redeemed, at(5, Op{Kind: SignOut, Verdict: Done}), at(6.1, with(call, onB))}, want: "I3"},
		{name: "called after a revocation without an answer", ops: []Op{redeemed, at(5, Op{Kind: Revoke, Verdict: Lost}), at(8, call)}},
		{name: "an honest one is refused", ops: []Op{redeemed, at(2, refused(Refresh, "t1"))}, want: "I4"},
		{name: "a call is refused", ops: []Op{redeemed, at(2, refused(Call, "at1"))}, want: "I4"},
		{name: "refused after a revocation", ops: []Op{redeemed, revoked, at(6, refused(Refresh, "t1"))}},
		{name: "refused before a revocation", ops: []Op{redeemed, at(2, refused(Refresh, "t1")), revoked}, want: "I4"},
		{name: "refused after a revocation without an answer", ops: []Op{redeemed, at(5, Op{Kind: Revoke, Verdict: Lost}), at(6, refused(Refresh, "t1"))}},
		{name: "refused after a theft", ops: []Op{redeemed, at(2, refresh("t1", "t2")), at(14, with(refused(Refresh, "t1"), thief)), at(15, refused(Refresh, "t2"))}},
		{name: "refused before a theft", ops: []Op{redeemed, at(2, refused(Refresh, "t1")), at(14, with(refused(Refresh, "t1"), thief))}, want: "I4"},
		{name: "a revocation of another", ops: []Op{redeemed, with(revoked, func(o *Op) { o.Family = "g" }), at(6, refused(Refresh, "t1"))}, want: "I4"},
		{name: "a login lost by a failover", faults: []Fault{lossy}, ops: []Op{with(redeemed, func(o *Op) { o.Start, o.End = 2500*time.Millisecond, 2600*time.Millisecond }), at(7, refused(Refresh, "t1"))}},
		{name: "a login from long before", faults: []Fault{lossy}, ops: []Op{redeemed, at(7, refused(Refresh, "t1"))}, want: "I4"},
		{name: "an outage without loss", faults: []Fault{outage}, ops: []Op{at(2.5, redeemed), at(7, refused(Refresh, "t1"))}, want: "I4"},
		{name: "503 in an outage", faults: []Fault{outage}, ops: []Op{at(4, Op{Kind: Refresh, Verdict: Unavailable})}},
		{name: "503 just after", faults: []Fault{outage}, ops: []Op{at(10.9, Op{Kind: Refresh, Verdict: Unavailable})}},
		{name: "503 long after", faults: []Fault{outage}, ops: []Op{at(11.1, Op{Kind: Refresh, Verdict: Unavailable})}, want: "I6"},
		{name: "503 before", faults: []Fault{outage}, ops: []Op{at(2, Op{Kind: Refresh, Verdict: Unavailable})}, want: "I6"},
		{name: "a busy login page", ops: []Op{at(2, Op{Kind: Login, Verdict: Busy})}},
		{name: "500 in an outage", faults: []Fault{outage}, ops: []Op{at(4, Op{Kind: Refresh, Verdict: Broken})}, want: "I6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rand.Shuffle(len(c.ops), func(i, j int) { c.ops[i], c.ops[j] = c.ops[j], c.ops[i] })
			found := Check(c.ops, Promises{Lag: time.Second, Leeway: 10 * time.Second, Settle: 5 * time.Second, Faults: c.faults})
			var broken []string
			for _, v := range found {
				broken = append(broken, v.Promise)
			}
			if got := strings.Join(broken, " "); got != c.want {
				t.Errorf("broken %q, want %q: %v", got, c.want, found)
			}
		})
	}
}

// TestGrowth: I7.
func TestGrowth(t *testing.T) {
	limits := Limits{Goroutines: 20, Files: 20, Heap: 0.2}
	flat := Sample{Goroutines: 100, Files: 50, Heap: 100e6}
	for _, c := range []struct {
		name string
		at   func(i int) Sample
		want string
	}{
		{"flat", func(int) Sample { return flat }, ""},
		{"filling at first", func(i int) Sample { s := flat; s.Heap *= min(1, 0.5+float64(i)/10); return s }, ""},
		{"one peak", func(i int) Sample { s := flat; s.Goroutines += 1000 * float64(i/49); return s }, ""},
		{"goroutines", func(i int) Sample { s := flat; s.Goroutines += float64(i); return s }, "goroutines"},
		{"files", func(i int) Sample { s := flat; s.Files += float64(i); return s }, "open files"},
		{"memory", func(i int) Sample { s := flat; s.Heap *= 1 + float64(i)/50; return s }, "bytes of the heap"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var samples []Sample
			for i := range 50 {
				samples = append(samples, c.at(i))
			}
			found := Growth(samples, limits)
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("found %v", found)
			case c.want != "" && (len(found) != 1 || !strings.Contains(found[0].Text, c.want)):
				t.Errorf("found %v, want %q", found, c.want)
			}
		})
	}
	if len(Growth(nil, limits)) == 0 {
		t.Error("no samples prove nothing")
	}
}

// TestRecorder: operations are counted as they were recorded.
func TestRecorder(t *testing.T) {
	r := NewRecorder()
	done := make(chan struct{})
	for range 10 {
		go func() {
			r.Add(Op{Kind: Call, Verdict: Done, Start: r.Now(), End: r.Now(), Presented: Name("token")})
			done <- struct{}{}
		}()
	}
	for range 10 {
		<-done
	}
	ops := r.Ops()
	if n := Count(ops, Call, Done); n != 10 || Count(ops, Call, Lost) != 0 {
		t.Errorf("%d operations of %d", n, len(ops))
	}
	if text := ops[0].String(); strings.Contains(text, "token") || !strings.Contains(text, Name("token")) {
		t.Errorf("an operation reads %q", text)
	}
	if Name("") != "" {
		t.Error("nothing has a name")
	}
}
