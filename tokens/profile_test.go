package tokens

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func TestProfileRecord(t *testing.T) {
	updated := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		name string
		p    Profile
	}{
		{"local user", Profile{Subject: "local|alice", Login: "local", ACR: "pwd", UpdatedAt: updated, Fingerprint: storage.Fingerprint{1, 2}}},
		{"with claims", Profile{
			Subject: "google|1234", Login: "google", UpdatedAt: updated,
			Claims: map[string]any{"email": "a@example.com", "email_verified": true, "name": "Zoë |"},
		}},
		{"id with a bar", Profile{Subject: "idp|a|b", Login: "idp", UpdatedAt: updated}},
	} {
		t.Run(c.name, func(t *testing.T) {
			record, err := c.p.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parseProfile(record); err != nil || !reflect.DeepEqual(*got, c.p) {
				t.Errorf("read %+v, %v; wrote %+v", got, err, c.p)
			}
			old, err := json.Marshal(c.p)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parseProfile(old)
			if err != nil || !got.UpdatedAt.Equal(updated) {
				t.Fatalf("the old form: %+v, %v", got, err)
			}
			if got.UpdatedAt = updated; !reflect.DeepEqual(*got, c.p) {
				t.Errorf("the old form is read as %+v, want %+v", got, c.p)
			}
		})
	}
}

func TestDamagedProfile(t *testing.T) {
	record, err := Profile{Subject: "local|alice", Claims: map[string]any{"name": "Alice"}}.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	whole := len(record) - len(`{"name":"Alice"}`) // without claims it is a record, too
	for n := range record {
		if _, err := parseProfile(record[:n]); err == nil && n != whole {
			t.Errorf("%d of %d bytes were read", n, len(record))
		}
	}
	for _, bad := range []string{"{", "\x02" + strings.Repeat("\x00", 40)} {
		if p, err := parseProfile([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, p)
		}
	}
}
