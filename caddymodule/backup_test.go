package caddymodule

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// copyBack restores a backup as docs/backup.md says: two files are copied.
func (g *gateway) copyBack(from string) {
	g.t.Helper()
	for _, suffix := range []string{"", ".secret"} {
		b, err := os.ReadFile(from + suffix)
		if err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(g.Store+suffix, b, 0o600); err != nil {
			g.t.Fatal(err)
		}
	}
}

// restore puts a backup in the place of the store, starts the gateway on it, and
// refreshes with a token from before.
func (g *gateway) restore(o gatewayOptions, from, token string) {
	g.t.Helper()
	g.copyBack(from)
	if err := g.load(o); err != nil {
		g.t.Fatal(err)
	}
	if answer := g.refresh(token); answer.RefreshToken == "" {
		g.t.Errorf("refresh after the restore: %d %s", answer.status, answer.body)
	}
}

// R2, R-52: a copy of the live file under load was refused with a panic, or
// everybody was out. A backup that is taken under load has all that was
// answered before it, and who has gone on since goes on after the restore.
func TestR2BackupUnderLoad(t *testing.T) {
	o := gatewayOptions{Secret: "none"}
	g := startGateway(t, o)
	idle, ended, late, spent := g.login(), g.login(), g.login(), g.login()
	older := spent.RefreshToken
	for range 2 {
		spent = g.refresh(spent.RefreshToken)
	}
	g.ok("grants", "end", "local|alice", claim(t, ended.AccessToken, "gh_fam"))

	// Clients that refresh before, during and after the backup.
	const clients = 4
	var busy [clients]tokenAnswer
	for i := range busy {
		busy[i] = g.login()
	}
	stop, running := make(chan struct{}), sync.WaitGroup{}
	for i := range busy {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				next := g.refresh(busy[i].RefreshToken)
				if next.RefreshToken == "" {
					t.Errorf("a refresh while the backup is taken: %d %s", next.status, next.body)
					return
				}
				busy[i] = next
			}
		})
	}
	first, second := filepath.Join(g.dir, "first.db"), filepath.Join(g.dir, "second.db")
	out, _ := g.ok("backup", first)
	if !strings.Contains(out, "backed up and checked: "+first+" and "+first+".secret, ") {
		t.Errorf("backup says: %s", out)
	}
	close(stop)
	running.Wait()
	g.ok("backup", second)
	later := g.login()
	late = g.refresh(late.RefreshToken)
	for _, name := range []string{first, first + ".secret"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, want mode 0600", name, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(g.dir, "*partial*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if left, _ := filepath.Glob(g.Store + ".backup*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	for _, backup := range []string{first, second} {
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		g.copyBack(backup)
		if err := g.load(o); err != nil {
			t.Fatalf("starting on %s: %v", backup, err)
		}
		for i := range busy { // the first backup has an older generation of theirs
			if busy[i] = g.refresh(busy[i].RefreshToken); busy[i].RefreshToken == "" {
				t.Fatalf("%s: client %d is out: %d %s", backup, i, busy[i].status, busy[i].body)
			}
			if resp, _ := g.call("/orders", busy[i].AccessToken); resp.StatusCode != http.StatusOK {
				t.Errorf("%s: the guard answers %d", backup, resp.StatusCode)
			}
		}
		for name, token := range map[string]*tokenAnswer{"idle": &idle, "refreshed since": &late} {
			if *token = g.refresh(token.RefreshToken); token.RefreshToken == "" {
				t.Fatalf("%s: who was %s is out: %d %s", backup, name, token.status, token.body)
			}
		}
		for name, token := range map[string]string{"was ended before": ended.RefreshToken, "signed in since": later.RefreshToken} {
			if answer := g.refresh(token); answer.Error != "invalid_grant" {
				t.Errorf("%s: a login that %s: %d %s", backup, name, answer.status, answer.body)
			}
		}
	}
	if answer := g.refresh(older); answer.Error != "invalid_grant" {
		t.Errorf("reuse after a restore: %d %s", answer.status, answer.body)
	}
	if !strings.Contains(g.logs(), `"store_rollback"`) {
		t.Error("the restore has set nobody forward")
	}
}

// R2: what a backup can't be, and that nothing half is left of it.
func TestR2BackupErrors(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	g.login()
	file := func(name string) string { return filepath.Join(g.dir, name) }
	g.ok("backup", file("good.db"))
	if _, err := os.Stat(file("good.db.secret")); err == nil {
		t.Error("the secret of the configuration was written")
	}
	out, warnings := g.ok("backup", file("json.db"), "--json")
	var said struct {
		Store, Secret string
		Families      int
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil || said.Store != g.Store || said.Families != 1 || said.Secret != "" {
		t.Errorf("%v: %s", err, out)
	}
	if !strings.Contains(warnings, "the configuration's `secret` is not in the backup") {
		t.Errorf("no word of the secret: %s", warnings)
	}
	if err := os.WriteFile(file("other.db.secret"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"good.db", "other.db"} {
		if _, warnings, err := g.runWith("", "backup", file(name), "--address", g.AdminAddr); err == nil || !strings.Contains(warnings, "already exists") {
			t.Errorf("over %s: %v %s", name, err, warnings)
		}
	}
	if _, warnings, err := g.runWith("", "backup", file("none/x.db"), "--address", g.AdminAddr); err == nil || !strings.Contains(warnings, "the folder "+file("none")+" does not exist") {
		t.Errorf("into nowhere: %v %s", err, warnings)
	}
	if _, warnings, err := g.runWith("", "backup", "-", "--address", g.AdminAddr); err == nil || !strings.Contains(warnings, "not written to the standard output") {
		t.Errorf("to the standard output: %v %s", err, warnings)
	}
	if _, _, err := g.runWith("", "backup", file("none.db"), "--address", "localhost:1"); err == nil || !strings.Contains(err.Error(), "admin API") {
		t.Errorf("without a server: %v", err)
	}
	if left, _ := filepath.Glob(file("none.db*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// R2: with Redis as the store the answer says what to do instead.
func TestR2BackupOfRedis(t *testing.T) {
	server := redistest.Start(t)
	g := startGateway(t, gatewayOptions{StoreIn: redisAt(server.Addr)})
	name := filepath.Join(g.dir, "redis.db")
	_, warnings, err := g.runWith("", "backup", name, "--address", g.AdminAddr)
	if err == nil || !strings.Contains(warnings, "back up Redis itself (BGSAVE") {
		t.Errorf("%v %s", err, warnings)
	}
	if left, _ := filepath.Glob(name + "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// R2: what was checked can be damaged afterwards, and Check says so.
func TestR2CheckOfABackup(t *testing.T) {
	g := startGateway(t, gatewayOptions{Secret: "none"})
	g.login()
	name := filepath.Join(g.dir, "copy.db")
	g.ok("backup", name)
	contents, err := boltstore.Check(name)
	if err != nil || contents.Families != 1 || contents.Born.IsZero() {
		t.Errorf("%+v, %v", contents, err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range [][]byte{nil, b[:len(b)/2], b[:len(b)-1]} {
		if err := os.WriteFile(name, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := boltstore.Check(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%d of %d bytes: %v", len(broken), len(b), err)
		}
	}
}
