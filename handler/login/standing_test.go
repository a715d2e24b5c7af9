package login

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// provider is a login at somebody else's: it lists nobody.
type provider string

func (p provider) Name() string { return string(p) }

func (p provider) Label() string { return string(p) }

func (provider) Fingerprint(storage.UserTag) storage.Fingerprint { return storage.Fingerprint{1} }

// TestH19Standing: who is gone is told by the list of their login as it is now, the users file
// included, and nobody else is judged by it.
func TestH19Standing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	hash := hashOf(t, "x")
	users := func(text string) {
		t.Helper()
		next := path + ".next" // by rename, as the documentation says
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
	users("bob:" + hash + "\n")
	now := time.Now()
	local := newTestLocal(t, func(cfg *LocalConfig) {
		cfg.UsersFile, cfg.Clock = path, func() time.Time { return now }
	})
	all := Accounts([]Login{local, provider("company")})
	check := func(subject string, wantGone, marked bool) *storage.Mark {
		t.Helper()
		gone, mark := all.Standing(storage.TagSubject(subject), subject)
		if gone != wantGone || (mark != nil) != marked {
			t.Errorf("%s: gone %v, mark %v", subject, gone, mark)
		}
		return mark
	}
	check("local|alice", false, true)
	if mark := check("local|bob", false, true); mark == nil || *mark != storage.FingerprintOf(hash).Mark() {
		t.Errorf("mark %v", mark)
	}
	check("local|carol", true, false)
	check("local|", true, false)
	check("company|alice", false, false)
	check("company|nobody", false, false)
	check("worker@clients", false, false) // a machine
	check("former|alice", true, false)    // by a login that is gone
	if gone, mark := Accounts(nil).Standing(storage.TagSubject("local|alice"), "local|alice"); gone || mark != nil {
		t.Error("a configuration without logins judges people")
	}

	other := hashOf(t, "y")
	users("carol:" + hash + "\nbob:" + other + "\n")
	now = now.Add(2 * lookEvery)
	if mark := check("local|bob", false, true); mark == nil || *mark != storage.FingerprintOf(other).Mark() {
		t.Errorf("mark of the new password %v", mark)
	}
	check("local|carol", false, true)
	users("carol:" + hash + "\n")
	now = now.Add(2 * lookEvery)
	check("local|bob", true, false)
	check("local|alice", false, true)
	users("no user at all\n") // a slip locks nobody out
	now = now.Add(2 * lookEvery)
	check("local|carol", false, true)
}
