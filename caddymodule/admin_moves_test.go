package caddymodule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/upstream"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// came writes the session of somebody who came by a provider, as a sign-in does.
func (g *gateway) came(subject string, f storage.Fingerprint) {
	g.t.Helper()
	user := storage.TagSubject(subject)
	if _, err := g.shared().state.Store.CreateSession(g.t.Context(), storage.SessionRequest{
		User: user, ID: storage.SessionID(user[:8]), Lifetime: time.Hour, Profile: storage.Profile{Subject: subject, Fingerprint: f},
	}); err != nil {
		g.t.Fatal(err)
	}
}

// fails runs a command that is to do nothing, and say this.
func (g *gateway) fails(want string, args ...string) {
	g.t.Helper()
	out, warnings, err := g.runWith("", append(args, "--address", g.AdminAddr)...)
	if err == nil || !strings.Contains(warnings+err.Error(), want) || out != "" {
		g.t.Errorf("caddy oauth %s: %v, want %q\n%s%s", strings.Join(args, " "), err, want, out, warnings)
	}
}

// audited are the log lines of what operators have changed.
func (g *gateway) audited(action string) (lines []string) {
	for line := range strings.Lines(g.logs()) {
		if strings.Contains(line, `"msg":"admin","outcome":"`+action+`"`) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestF50UsersMove: `caddy oauth users move` says who somebody is, on purpose alone.
func TestF50UsersMove(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_COMPANY", "x")
	g := startGateway(t, gatewayOptions{OAuth: atProviders(newOtherIssuer(t))})
	g.login()
	f := storage.Fingerprint{1}
	g.came("company|old", f)
	g.came("company|there", f)
	move := func(args ...string) []string { return append([]string{"users", "move"}, args...) }
	for want, args := range map[string][]string{
		"both subjects are company|old":              move("company|old", "company|old"),
		"are of two logins":                          move("company|old", "partner|new"),
		"is at no provider":                          move("local|alice", "local|bob"),
		"subjects of people":                         move("worker@clients", "company|new"),
		`no login "compny" is configured`:            move("compny|old", "compny|new"),
		"did you mean company|old? Nothing was done": move("company|OLD", "company|new", "--force"),
		"signed in as somebody of their own":         move("company|old", "company|there"),
		"company|new has not been moved":             move("--undo", "company|new"),
	} {
		g.fails(want, args...)
	}
	if out, err := g.run(move("company|OLD", "company|new")...); err == nil || strings.Contains(out+err.Error(), "--force") {
		t.Errorf("a mistyped name: %v, and force does not help\n%s", err, out)
	}
	for _, args := range [][]string{move(), move("company|old"), move("company|old", "--undo", "company|new"), move("--undo", "company|new", "--force")} {
		if _, err := g.run(args...); err == nil || !strings.Contains(err.Error(), "status 2") {
			t.Errorf("%v: %v, want exit code 2", args, err)
		}
	}
	before := len(g.audited("move_user"))
	if out, _ := g.ok(move("company|old", "company|new", "--dry-run")...); out != "nothing was done; without --dry-run:\ncompany|new signs in as company|old from now on\n" {
		t.Errorf("a dry run:\n%s", out)
	}
	if lines := g.audited("move_user"); len(lines) != before {
		t.Errorf("a dry run is told: %s", lines[len(lines)-1])
	}
	if out, _ := g.ok(move("company|old", "company|new")...); out != "company|new signs in as company|old from now on\n" {
		t.Errorf("the move:\n%s", out)
	}
	lines := g.audited("move_user")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"subject":"company|old"`) || !strings.Contains(last, `"new_subject":"company|new"`) {
		t.Errorf("the audit says %s", last)
	}
	if out, _ := g.ok(move("company|old", "company|new")...); out != "company|new signed in as company|old already\n" {
		t.Errorf("again:\n%s", out)
	}
	if out, _ := g.ok(move("company|old", "company|there", "--force")...); !strings.HasSuffix(out, "ended of company|there: 1 session and 0 refresh token families\n") {
		t.Errorf("by force:\n%s", out)
	}
	if out, _ := g.ok("users", "show", "company|old"); !strings.Contains(out, "also signs in as  company|new") || !strings.Contains(out, "also signs in as  company|there") {
		t.Errorf("the old one:\n%s", out)
	}
	if out, _ := g.ok("users", "show", "company|new"); !strings.Contains(out, "signs in as      company|old") {
		t.Errorf("a new one that has nothing:\n%s", out)
	}
	if out, _ := g.ok("users", "show", "company|there"); !strings.Contains(out, "signs in as      company|old") {
		t.Errorf("the new one:\n%s", out)
	}
	for _, args := range [][]string{{"users", "disable", "company|new", "--force"}, {"grants", "end", "company|there"}} {
		g.fails("signs in as company|old, by `users move`: name that one", args...)
	}
	if out, _ := g.ok(move("--undo", "company|new")...); !strings.HasPrefix(out, "company|new signs in as somebody of their own again") {
		t.Errorf("taken back:\n%s", out)
	}
	if out, _ := g.ok("users", "show", "company|old"); strings.Contains(out, "company|new") {
		t.Errorf("after that:\n%s", out)
	}
}

// TestH1LoginsRebind: `caddy oauth logins rebind` says that the people are the same at
// another provider, on purpose alone.
func TestH1LoginsRebind(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_COMPANY", "x")
	a := newOtherIssuer(t)
	g := startGateway(t, gatewayOptions{OAuth: atProviders(a)})
	g.login()
	const old = "https://old.example.com"
	at := func(issuer string, subject ...string) storage.Fingerprint {
		o, err := upstream.NewOIDC(upstream.Config{Name: "company", Issuer: issuer, ClientID: "gatehouse", Subject: subject})
		if err != nil {
			t.Fatal(err)
		}
		return o.Fingerprint(storage.UserTag{})
	}
	people := map[string]storage.Fingerprint{
		"company|1": at(old), "company|2": at(old), "company|3": at(old, "tid", "oid"), "company|4": at("https://evil.example.com"), "company|5": at(a.URL()),
		"partner|1": at(old),
	}
	for subject, f := range people {
		g.came(subject, f)
	}
	rebind := func(login string, args ...string) []string {
		return append([]string{"logins", "rebind", login}, args...)
	}
	for want, args := range map[string][]string{
		`no login "compny" is configured`:                rebind("compny", "--from-issuer", old),
		"is at no provider":                              rebind("local", "--from-issuer", old),
		"has that issuer and those subject claims now":   rebind("company", "--from-issuer", a.URL()),
		"7 users; 1 have it as it is configured now":     rebind("company", "--from-issuer", old+"/"),
		"has it from https://old.example.com, of 7 user": rebind("github", "--from-issuer", old),
	} {
		g.fails(want, args...)
	}
	if _, err := g.run(rebind("company")...); err == nil || !strings.Contains(err.Error(), "status 2") {
		t.Errorf("without the issuer: %v, want exit code 2", err)
	}
	before := len(g.audited("rebind_login"))
	const done = "bound to the provider that company has now: 2 users; 1 were before; 7 users looked at\n"
	if out, _ := g.ok(rebind("company", "--from-issuer", old, "--dry-run")...); out != "nothing was done; without --dry-run:\n"+done || len(g.audited("rebind_login")) != before {
		t.Errorf("a dry run:\n%s", out)
	}
	if out, _ := g.ok(rebind("company", "--from-issuer", old)...); out != done {
		t.Errorf("the rebinding:\n%s", out)
	}
	if lines := g.audited("rebind_login"); len(lines) != before+1 || !strings.Contains(lines[before], `"login":"company"`) {
		t.Errorf("the audit says %s", lines)
	}
	g.fails("3 have it as it is configured now", rebind("company", "--from-issuer", old)...)
	if out, _ := g.ok(rebind("company", "--from-issuer", old, "--from-subject", "tid oid", "--json")...); !strings.Contains(out, `"bound":1`) {
		t.Errorf("other claims:\n%s", out)
	}
	for subject, was := range people {
		want := was
		if slices.Contains([]string{"company|1", "company|2", "company|3"}, subject) {
			want = people["company|5"]
		}
		if p, err := g.shared().state.Store.Profile(t.Context(), storage.TagSubject(subject)); err != nil || p.Fingerprint != want {
			t.Errorf("%s: %v, %v, want %v", subject, p.Fingerprint, err, want)
		}
	}
}
