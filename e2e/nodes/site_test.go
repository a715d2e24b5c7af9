package nodes

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

const (
	apiURL     = "https://api.example.com"
	callback   = "https://app.example.com/callback"
	afterwards = "https://app.example.com/bye"
	password   = "a password of everybody"
	// passwordHash is bcrypt of the password, at the least cost.
	passwordHash = "$2a$04$NASghk.rRXW6jXqZmKroOO5TeIAc8p7xPcuM3uh9epOgsATyTC9ZK"
	people       = 64
)

// site is some nodes with one issuer, as behind a load balancer. Clients choose
// the node that a request goes to.
type site struct {
	t       testing.TB
	issuer  string
	wiki    string // its origin
	options siteOptions
	nodes   []*node
	users   string // file
	history *history.Recorder
	person  atomic.Int64

	mu     sync.Mutex
	faults []history.Fault
}

// siteOptions are what tests change.
type siteOptions struct {
	Nodes   int      // default: 2
	Store   string   // the lines of `store redis { … }`
	Stores  []string // of each node, instead
	Secrets []string // default: one that is made up
	Leeway  time.Duration
	MaxLag  time.Duration
	// More lines: of denylist, of oauth, and before `respond` at the API.
	Denylist, OAuth, API string
	Client               string   // and of the client
	Guard                string   // the lines of the require_login of a wiki; no such site without
	Sites                string   // and of both sites, first
	Env                  []string // of the processes
}

// lag is how long after a confirmed revocation another node may accept a token.
const lag = time.Second

// standalone is the store of a single server.
func standalone(addr string) string { return "address " + addr + "\n\t\t\ttimeout 2s" }

// sentinel is the store that Sentinel appoints.
func sentinel(s *redistest.Sentinels) string {
	return "address " + strings.Join(s.Addrs, " ") + "\n\t\t\tsentinel " + redistest.MasterName + "\n\t\t\ttimeout 2s"
}

// newSite prepares a site without nodes.
func newSite(t testing.TB, o siteOptions) *site {
	t.Helper()
	o.Leeway = cmp.Or(o.Leeway, 10*time.Second)
	o.MaxLag = cmp.Or(o.MaxLag, 10*time.Second)
	if o.Secrets == nil {
		o.Secrets = []string{newSecret()}
	}
	s := &site{
		t: t, issuer: fmt.Sprintf("http://localhost:%d/", redistest.FreePort(t)), wiki: "http://wiki.localhost:8084", options: o,
		users: filepath.Join(t.TempDir(), "users"), history: history.NewRecorder(),
	}
	var list strings.Builder
	for i := range people {
		fmt.Fprintf(&list, "%s:%s\n", userName(i), passwordHash)
	}
	if err := os.WriteFile(s.users, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// startSite starts the nodes and waits until they serve. They end with the test,
// which fails when one of them has panicked.
func startSite(t testing.TB, o siteOptions) *site {
	t.Helper()
	s := newSite(t, o)
	for i := range cmp.Or(o.Nodes, 2) {
		n := s.newNode(string(rune('A' + i)))
		if i < len(o.Stores) {
			n.store = o.Stores[i]
		}
		s.nodes = append(s.nodes, n)
	}
	var starting sync.WaitGroup
	for _, n := range s.nodes {
		starting.Go(n.start)
	}
	starting.Wait()
	for _, n := range s.nodes {
		n.await()
	}
	return s
}

func userName(i int) string { return fmt.Sprintf("user%02d", i) }

func newSecret() string {
	b := make([]byte, 36)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// broke remembers a time in which something was broken. It returns what ends it.
func (s *site) broke() (repaired func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.faults)
	s.faults = append(s.faults, history.Fault{Start: s.history.Now(), End: 1 << 62})
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults[i].End = s.history.Now()
	}
}

// losing says that what is broken now may lose writes that were confirmed.
func (s *site) losing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[len(s.faults)-1].Lossy = true
}

// check holds what the clients saw against the promises, and demands that
// there was something to see.
func (s *site) check(want map[history.Kind]int) {
	s.t.Helper()
	ops := s.history.Ops()
	s.mu.Lock()
	faults := s.faults
	s.mu.Unlock()
	found := history.Check(ops, history.Promises{Lag: lag, Leeway: s.options.Leeway, Faults: faults, Settle: 5 * time.Second})
	for i, v := range found {
		if i == 20 {
			s.t.Errorf("and %d more", len(found)-i)
			break
		}
		s.t.Errorf("%s\nall of the family, the last:%s", v, lastOf(ops, v.Ops[0].Family))
	}
	for kind, n := range want {
		if got := history.Count(ops, kind, history.Done); got < n {
			s.t.Errorf("%d of %s were done, want at least %d", got, kind, n)
		}
	}
	s.t.Log(summary(ops))
}

// lastOf writes the last operations of a family, a line each.
func lastOf(ops []history.Op, family string) string {
	var lines []string
	for _, o := range ops {
		if o.Family == family {
			lines = append(lines, "\n\t"+o.String())
		}
	}
	return strings.Join(lines[max(0, len(lines)-30):], "")
}

// summary counts a history for the log.
func summary(ops []history.Op) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d operations:", len(ops))
	for _, k := range []history.Kind{history.Login, history.Redeem, history.Refresh, history.Call, history.Revoke, history.SignOut} {
		fmt.Fprintf(&text, " %s", k)
		for _, v := range []history.Verdict{history.Done, history.Refused, history.Unavailable, history.Busy, history.Broken, history.Lost} {
			if n := history.Count(ops, k, v); n > 0 {
				fmt.Fprintf(&text, " %d %s", n, v)
			}
		}
		text.WriteString(";")
	}
	return text.String()
}

var caddyfile = template.Must(template.New("Caddyfile").Parse(`{
	admin {{.Admin}}
	persist_config off
	auto_https off
	default_bind 127.0.0.1
	grace_period 10s
	storage file_system {{.Dir}}/caddy
	oauth {
		issuer {{.Issuer}}
		{{with .Secrets}}secret {{.}}{{end}}
		store redis {
			{{.Store}}
		}
		denylist {
			max_lag {{.MaxLag}}
			{{.Denylist}}
		}
		login local {
			users_file {{.Users}}
		}
		api https://api.example.com {
			scopes orders:read
			allow_offline_access
		}
		client app {
			type spa
			redirect_uris https://app.example.com/callback
			logout_uris https://app.example.com/bye
			apis https://api.example.com
			{{.Client}}
			refresh_token {
				leeway {{.Leeway}}
			}
		}
		{{.OAuth}}
	}
}

http://localhost:{{.AuthPort}} {
	{{.Sites}}
	oauth_server
}

http://:{{.APIPort}} {
	{{.Sites}}
	bearer_auth {
		audience https://api.example.com
		scope orders:read
	}
	{{.API}}
	respond "served to {http.auth.user.id}"
}
{{with .Guard}}
http://:{{$.WikiPort}} {
	require_login {
		origin {{$.Wiki}}
		{{.}}
	}
	respond "a page for {http.auth.user.id}"
}
{{end}}`))

func (s *site) caddyfile(n *node) []byte { return s.configure(n, s.options) }

func (s *site) configure(n *node, o siteOptions) []byte {
	var b bytes.Buffer
	err := caddyfile.Execute(&b, map[string]any{
		"Issuer": s.issuer, "Users": s.users, "Admin": n.admin, "Dir": n.dir, "AuthPort": n.authPort, "APIPort": n.apiPort, "WikiPort": n.wikiPort, "Wiki": s.wiki, "Guard": o.Guard,
		"Store": cmp.Or(n.store, o.Store), "Secrets": strings.Join(o.Secrets, " "),
		"MaxLag": o.MaxLag, "Leeway": o.Leeway, "Denylist": o.Denylist, "OAuth": o.OAuth, "API": o.API, "Client": o.Client, "Sites": o.Sites,
	})
	if err != nil {
		panic(err) // the template is ours
	}
	return b.Bytes()
}

// within waits until something holds, which other processes bring about.
func within(t testing.TB, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", limit, what)
		}
	}
}
