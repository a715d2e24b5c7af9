package denylist

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// H10: a withdrawn consent denies what that client has of the person until its second, and
// nothing of another client.
func TestH10DenyClient(t *testing.T) {
	second, app, other := time.Unix(1_800_000_000, 0), storage.TagClient("app"), storage.TagClient("other")
	v := verdict{denials: storage.UserDenials{Entries: []storage.Denial{
		{Kind: storage.DenyClient, ID: storage.WithdrawnID(app, second), Until: second.Add(time.Hour)},
	}}}
	for _, tt := range []struct {
		name   string
		client storage.ClientTag
		issued time.Time
		want   bool
	}{
		{"long before", app, second.Add(-time.Hour), true},
		{"in that second", app, second.Add(time.Second - 1), true},
		{"in the next", app, second.Add(time.Second), false},
		{"of another client", other, second.Add(-time.Hour), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := v.denies(&Token{Client: tt.client, IssuedAt: tt.issued}); got != tt.want {
				t.Errorf("denied %t", got)
			}
		})
	}
}
