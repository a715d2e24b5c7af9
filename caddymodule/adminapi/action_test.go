package adminapi

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestRequestsAreRouted: the two sides of an action meet, whatever its parameters hold.
func TestRequestsAreRouted(t *testing.T) {
	const value = "a/b|c?d=e&%20"
	for _, a := range Actions {
		asked := make(url.Values)
		for _, name := range a.Args {
			asked.Set(name, value)
		}
		for _, f := range a.Flags {
			asked.Set(f.Name, value)
		}
		uri, body := a.Request(asked)
		r := httptest.NewRequest(a.Method, uri, nil)
		got, name, err := route(r)
		if err != nil || got.Method != a.Method || got.Path != a.Path {
			t.Errorf("%s %s: %+v, %v", a.Method, uri, got, err)
			continue
		}
		if strings.Contains(a.Path, "{") != (name == value) {
			t.Errorf("%s %s: the path says %q", a.Method, uri, name)
		}
		members, _ := body.(map[string]string)
		for _, f := range a.Flags {
			inQuery := r.URL.Query().Get(f.Name) == value
			_, inBody := members[f.Name]
			if inQuery == inBody {
				t.Errorf("%s %s %v: --%s", a.Method, uri, body, f.Name)
			}
		}
	}
}

// TestActionsAreWhole: what has an endpoint answers, and what has a subcommand prints the answer.
func TestActionsAreWhole(t *testing.T) {
	seen := make(map[string]bool)
	for _, a := range Actions {
		if a.answer == nil {
			t.Errorf("%s %s does nothing", a.Method, a.Path)
		}
		if a.Use == "" {
			continue
		}
		if a.Short == "" || a.Show == nil || seen[a.Use] {
			t.Errorf("%q has no help or no answer, or is a duplicate", a.Use)
		}
		seen[a.Use] = true
	}
}
