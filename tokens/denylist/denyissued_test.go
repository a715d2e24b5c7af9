package denylist

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// DOS: what stands for many entries denies all that was issued until its
// second, and nothing that was issued later.
func TestDenyIssued(t *testing.T) {
	second := time.Unix(1_800_000_000, 0)
	v := verdict{denials: storage.UserDenials{Entries: []storage.Denial{{Kind: storage.DenyIssued, ID: storage.IssuedID(second), Until: second.Add(time.Hour)}}}}
	for _, tt := range []struct {
		name   string
		issued time.Time
		want   bool
	}{
		{"long before", second.Add(-time.Hour), true},
		{"in that second", second, true},
		{"in the next", second.Add(time.Second), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := v.denies(&Token{IssuedAt: tt.issued}); got != tt.want {
				t.Errorf("denied %t", got)
			}
		})
	}
}
