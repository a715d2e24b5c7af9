package people

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// locals are the local users of a test, by subject.
type locals map[string][]string

func (l locals) LocalGroups(user storage.UserTag) (string, []string, bool) {
	for subject, groups := range l {
		if storage.TagSubject(subject) == user {
			return loginOf(subject), groups, true
		}
	}
	return "", nil, false
}

func testDirectory() *Directory {
	return NewDirectory(Config{
		Groups: []Group{
			{Name: "editors", From: []Source{{"company", "/staff/editors"}, {"local", "writers"}}, Members: []string{"google|1098"}},
			{Name: "empty"},
		},
		AsSent:    []string{"company"},
		Mentioned: []string{"staff"},
		Locals:    locals{"local|alice": {"staff", "writers"}, "local|bob": nil},
	})
}

// C5, F35: a name that one login sends is another group than the same name of another.
func TestC5Groups(t *testing.T) {
	d := testDirectory()
	for name, tc := range map[string]struct {
		subject string
		sent    []string
		want    []string
	}{
		"from a provider, by its own name":   {"company|1", []string{"/staff/editors"}, []string{"editors"}},
		"as sent, where it is mentioned":     {"company|1", []string{"staff", "nobody-asks"}, []string{"staff"}},
		"as sent, by the name of a block":    {"company|1", []string{"editors"}, []string{"editors"}},
		"F36: no slash is added or taken":    {"company|1", []string{"/staff", "staff/editors"}, nil},
		"another login's group of this name": {"github|1", []string{"editors", "staff", "/staff/editors"}, nil},
		"a member":                           {"google|1098", nil, []string{"editors"}},
		"somebody whose subject begins so":   {"google|10981", nil, nil},
		"a local user":                       {"local|alice", nil, []string{"editors", "staff", "writers"}},
		"M9: whatever the store has of them": {"local|bob", []string{"staff"}, nil},
		"a local user's name elsewhere":      {"company|alice", []string{"writers"}, nil},
	} {
		user := storage.TagSubject(tc.subject)
		kept := d.Keep(loginOf(tc.subject), tc.sent)
		if got := d.Of(user, kept); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
		// What the store is asked for says the same as the groups do.
		for _, rule := range []Rule{nil, {{"editors"}}, {{"staff"}, {"editors"}}, {{"empty"}}, {{"unknown", "staff"}}} {
			if asked, want := d.Ask(user, rule).Allow(kept), rule.Allows(tc.want); asked != want {
				t.Errorf("%s, for %s: the store says %v, the groups %v", name, rule, asked, want)
			}
		}
	}
	var none *Directory
	if none.Of(storage.TagSubject("company|1"), nil) != nil || none.Keep("company", []string{"staff"}) != nil || none.Ask(storage.UserTag{}, Rule{{"staff"}}).Allow(nil) {
		t.Error("a configuration without groups knows some")
	}
}

// Only what the configuration mentions is kept, however much is sent.
func TestF32Kept(t *testing.T) {
	sent := []string{"staff", "staff", "/staff/editors"}
	for i := range 5000 {
		sent = append(sent, string(rune('a'+i%26))+"-group")
	}
	if kept := testDirectory().Keep("company", sent); len(kept) != 2 {
		t.Errorf("%d groups are kept", len(kept))
	}
}

// loginOf is the login of a subject.
func loginOf(subject string) string {
	login, _, _ := strings.Cut(subject, "|")
	return login
}
