package tokens

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func TestProfileRecord(t *testing.T) {
	asOf, checked := time.UnixMilli(1_800_000_000_123), time.Unix(1_800_000_001, 0)
	for _, c := range []struct {
		name string
		p    Profile
	}{
		{"local user", Profile{Subject: "local|alice", Login: "local", Fingerprint: storage.Fingerprint{1, 2}}},
		{"with claims", Profile{
			Subject: "google|1234", Login: "google", AsOf: asOf, Checked: checked, Groups: []storage.GroupTag{{1}, {2}},
			Claims: map[string]any{"email": "a@example.com", "email_verified": true, "name": "Zoë |"},
		}},
		{"id with a bar", Profile{Subject: "idp|a|b", Login: "idp"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			record, err := c.p.record()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parseProfile(record); err != nil || !reflect.DeepEqual(*got, c.p) {
				t.Errorf("read %+v, %v; wrote %+v", got, err, c.p)
			}
		})
	}
	if p, err := parseProfile(storage.Profile{Subject: "local|alice", Person: storage.Person{Claims: []byte("{")}}); err == nil {
		t.Errorf("damaged claims were read as %+v", p)
	}
}

// TestProfileBounds: what is refused is refused before anything is written.
func TestProfileBounds(t *testing.T) {
	groups := make([]storage.GroupTag, storage.MaxGroups+1)
	for i := range groups {
		groups[i] = storage.GroupTag{byte(i), byte(i >> 8)}
	}
	name := func(n int) map[string]any { return map[string]any{"n": strings.Repeat("x", n-len(`{"n":""}`))} }
	for _, c := range []struct {
		name string
		p    Profile
		want error
	}{
		{"claims of the longest", Profile{Claims: name(MaxClaims)}, nil},
		{"longer claims", Profile{Claims: name(MaxClaims + 1)}, errLongClaims},
		{"the most groups", Profile{Groups: append(groups[1:], groups[1])}, nil},
		{"more groups", Profile{Groups: groups}, errManyGroups},
	} {
		if _, err := c.p.record(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestFittingAMR(t *testing.T) {
	for _, c := range []struct{ name, amr, want string }{
		{"none", "", ""},
		{"as they come", "pwd otp", "pwd otp"},
		{"exactly the room", "0123456789 0123456789 0123456789", "0123456789 0123456789 0123456789"},
		{"one too long, and one that fits after it", "0123456789 0123456789 01234567890 pwd", "0123456789 0123456789 pwd"},
		{"no plain words", "pwd,o\ttp,é,a b,,mfa", "pwd mfa"},
	} {
		sep := " "
		if strings.Contains(c.amr, ",") {
			sep = ","
		}
		if got := strings.Join(fittingAMR(strings.Split(c.amr, sep)), " "); got != c.want || len(got) > storage.MaxAMR {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
