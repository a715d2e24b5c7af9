package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestMove moves everything from an embedded database to Redis and back, while
// people are logged in: the commands, on a running server and on a stopped one.
func TestMove(t *testing.T) {
	server := redistest.Start(t)
	g := newGateway(t)
	const unhurried = "refresh_token {\n leeway 60s\n}" // the move may take longer than the usual leeway
	embedded := gatewayOptions{Client: unhurried}
	shared := gatewayOptions{Client: unhurried, StoreIn: "redis {\n address " + server.Addr + "\n timeout 2s\n}"} // an export waits for two of them
	back := gatewayOptions{Client: unhurried, Store: filepath.Join(g.dir, "back.db")}
	file := func(name string) string { return filepath.Join(g.dir, name) }
	config := func(name string, o gatewayOptions) string {
		if err := os.WriteFile(file(name), g.caddyfile(o), 0o600); err != nil {
			t.Fatal(err)
		}
		return file(name)
	}
	if err := g.load(embedded); err != nil {
		t.Fatal(err)
	}
	kept, stolen, ended := g.login(), g.login(), g.login()
	previous := kept.RefreshToken
	kept = g.refresh(previous)
	old := stolen.RefreshToken
	for range 2 {
		stolen = g.refresh(stolen.RefreshToken)
	}
	family := claim(t, ended.AccessToken, "gh_fam")
	g.ok("grants", "end", "local|alice", family)
	g.ok("users", "disable", "local|mallory", "--force")
	machine := g.machineToken()
	if err := g.shared().state.Store.PutAlias(t.Context(), storage.Alias{From: "company|new", Subject: "company|old"}); err != nil {
		t.Fatal(err)
	}

	// The running server writes; it stops to decide, and goes on guarding.
	out, warnings := g.ok("export", "--to", file("one.export"))
	if !strings.Contains(out, "exported: 1 user with 1 session and 2 refresh token families") || !strings.Contains(warnings, "stopped") {
		t.Errorf("export:\n%s%s", out, warnings)
	}
	if body, status := g.tryRefresh(kept.RefreshToken); status != http.StatusServiceUnavailable || strings.HasPrefix(body, "{") {
		t.Errorf("refresh on a stopped store: %d %s", status, body)
	}
	if resp, _ := g.call("/orders", kept.AccessToken); resp.StatusCode != http.StatusOK {
		t.Errorf("guarded call on a stopped store: %d", resp.StatusCode)
	}
	checkExportFile(t, file("one.export"), kept.RefreshToken, kept.AccessToken, g.Secret, testPassword)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := g.load(embedded); err == nil || !strings.Contains(err.Error(), "caddy oauth export --undo") {
		t.Errorf("starting on a stopped store: %v", err)
	}

	shared1 := config("shared.caddyfile", shared)
	if out, _, err := g.runWith("", "import", "--config", shared1, "--from", file("one.export")); err != nil || !strings.Contains(out, "imported: 1 user") {
		t.Fatalf("import: %v\n%s", err, out)
	}
	if _, _, err := g.runWith("", "import", "--config", shared1, "--from", file("one.export")); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("importing twice: %v", err)
	}
	if err := g.load(shared); err != nil {
		t.Fatal(err)
	}
	if again := g.refresh(previous); again.RefreshToken != kept.RefreshToken {
		t.Errorf("the predecessor within its leeway: %d %s", again.status, again.body)
	}
	g.wantMoved(&kept, ended, machine)

	// A stopped server: the command opens the store of the configuration.
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if out, _, err := g.runWith("", "export", "--config", shared1, "--to", file("two.export"), "--json"); err != nil || !strings.Contains(out, `"families": 2`) {
		t.Fatalf("export: %v\n%s", err, out)
	}
	if out, _, err := g.runWith("", "import", "--config", config("back.caddyfile", back), "--from", file("two.export")); err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	if err := g.load(back); err != nil {
		t.Fatal(err)
	}
	g.wantMoved(&kept, ended, machine)
	if answer := g.refresh(old); answer.Error != "invalid_grant" {
		t.Errorf("reuse after the moves: %d %s", answer.status, answer.body)
	}
	if answer := g.refresh(stolen.RefreshToken); answer.Error != "invalid_grant" {
		t.Errorf("refresh after the reuse: %d %s", answer.status, answer.body)
	}
	if out, _ := g.ok("users", "disabled"); !strings.Contains(out, "(user ") {
		t.Errorf("disabled users:\n%s", out)
	}

	// The first move is called off.
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if out, _, err := g.runWith("", "export", "--config", config("embedded.caddyfile", embedded), "--undo"); err != nil || !strings.Contains(out, "in use again") {
		t.Errorf("undo: %v\n%s", err, out)
	}
	if err := g.load(embedded); err != nil {
		t.Errorf("starting on a store whose export was called off: %v", err)
	}
}

// wantMoved demands that what was good is good, and what was ended is ended.
func (g *gateway) wantMoved(kept *tokenAnswer, ended tokenAnswer, machine string) {
	g.t.Helper()
	for name, c := range map[string]struct {
		token string
		want  int
	}{"of a login": {kept.AccessToken, 200}, "of a machine": {machine, 200}, "of an ended login": {ended.AccessToken, 401}} {
		if resp, _ := g.call("/orders", c.token); resp.StatusCode != c.want {
			g.t.Errorf("access token %s: %d, want %d", name, resp.StatusCode, c.want)
		}
	}
	next := g.refresh(kept.RefreshToken)
	if next.RefreshToken == "" {
		g.t.Fatalf("refresh: %d %s", next.status, next.body)
	}
	*kept = next
	if out, _ := g.ok("users", "show", "company|new"); !strings.Contains(out, "company|old") {
		g.t.Errorf("F50: who was moved:\n%s", out)
	}
	if answer := g.refresh(ended.RefreshToken); answer.Error != "invalid_grant" {
		g.t.Errorf("refresh of an ended login: %d %s", answer.status, answer.body)
	}
	// Single sign-on goes on.
	query := "response_type=code&client_id=my-spa&redirect_uri=" + testCallback + "&scope=openid&prompt=none&response_mode=query" +
		"&code_challenge_method=S256&code_challenge=" + strings.Repeat("c", 43)
	if resp, page := g.do(g.request(g.url("/authorize?"+query), nil)); !strings.Contains(resp.Header.Get("Location"), "code=") {
		g.t.Errorf("single sign-on: %d %s %s", resp.StatusCode, resp.Header.Get("Location"), page)
	}
}

// checkExportFile looks for what must not be in an export.
func checkExportFile(t *testing.T, name string, canaries ...string) {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the export: %v, mode %v, want 0600", err, info.Mode())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, canary := range canaries {
		if strings.Contains(string(text), canary) {
			t.Errorf("the export holds secret %d", i)
		}
	}
}

// TestExportErrors: nothing is half done.
func TestExportErrors(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	alice := g.login()
	file := func(name string) string { return filepath.Join(g.dir, name) }
	config := func(name string, o gatewayOptions) string {
		if err := os.WriteFile(file(name), g.caddyfile(o), 0o600); err != nil {
			t.Fatal(err)
		}
		return file(name)
	}
	if err := os.WriteFile(file("taken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, warnings, err := g.runWith("", "export", "--to", file("taken"), "--address", g.AdminAddr); err == nil || !strings.Contains(warnings, "already exists") {
		t.Errorf("over a file: %v %s", err, warnings)
	}
	if _, _, err := g.runWith("", "export", "--to", "/dev/full/x", "--address", g.AdminAddr); err == nil {
		t.Error("into nowhere")
	}
	if alice = g.refresh(alice.RefreshToken); alice.AccessToken == "" {
		t.Fatalf("an export that failed has stopped the store: %d %s", alice.status, alice.body)
	}
	g.ok("export", "--to", file("good"))
	if out, _ := g.ok("export", "--undo"); !strings.Contains(out, "in use again") {
		t.Errorf("undo:\n%s", out)
	}
	if alice = g.refresh(alice.RefreshToken); alice.AccessToken == "" {
		t.Fatalf("after the undo: %d %s", alice.status, alice.body)
	}
	good, err := os.ReadFile(file("good"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cut":     string(good[:len(good)*2/3]),
		"endless": string(good[:strings.LastIndex(strings.TrimSpace(string(good)), "\n")+1]),
		"changed": strings.Replace(string(good), `"used":`, `"used": `, 1),
		"other":   "hello\n",
		"empty":   "",
		"newer":   strings.Replace(string(good), `"version":1`, `"version":2`, 1),
		"novel":   strings.Replace(string(good), `{"grant":`, `{"novelty":`, 1),
	} {
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		target := gatewayOptions{Store: file("target-" + name + ".db")}
		if _, _, err := g.runWith("", "import", "--config", config("target.caddyfile", target), "--from", file(name)); err == nil || !strings.Contains(err.Error(), "export") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(target.Store); err == nil {
			t.Errorf("%s: the target was touched", name)
		}
		if _, _, err := g.runWith(text, "import", "--config", config("target.caddyfile", target), "--from", "-"); err == nil {
			t.Errorf("%s: read from the standard input", name)
		}
	}
	target := gatewayOptions{Store: file("target.db")}
	for name, c := range map[string]struct {
		o    gatewayOptions
		want string
	}{
		"another secret": {gatewayOptions{Store: file("target.db"), Secret: NewGatewaySecret()}, "another secret"},
		"no secret":      {gatewayOptions{Store: file("target.db"), Secret: "none"}, "there is no secret"},
		"not empty":      {gatewayOptions{}, "pid"}, // the server has it
	} {
		if name == "not empty" && testing.Short() {
			continue // it waits for the lock
		}
		if _, _, err := g.runWith("", "import", "--config", config("target.caddyfile", c.o), "--from", file("good")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := os.Stat(target.Store); err == nil {
		t.Error("the target was touched")
	}
	if _, _, err := g.runWith("", "export", "--config", config("target.caddyfile", target), "--to", file("none")); err == nil || !strings.Contains(err.Error(), "no store yet") {
		t.Errorf("exporting nothing: %v", err)
	}
	if _, err := os.Stat(file("none")); err == nil {
		t.Error("a failed export has left a file")
	}
}
