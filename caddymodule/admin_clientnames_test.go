package caddymodule

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// registers makes a program known as a client and returns its client_id.
func (g *gateway) registers(body string) string {
	g.t.Helper()
	resp, err := http.Post(g.url("/register"), "application/json", strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		ID string `json:"client_id"`
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(text, &answer) != nil || answer.ID == "" {
		g.t.Fatalf("registering: %d %s %v", resp.StatusCode, text, err)
	}
	return answer.ID
}

// row returns the row of a table with a text in it, its columns.
func row(t *testing.T, table, with string) []string {
	t.Helper()
	for line := range strings.Lines(table) {
		if strings.Contains(line, with) {
			return regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1)
		}
	}
	t.Fatalf("no row with %q:\n%s", with, table)
	return nil
}

// clientIDs returns what `clients list` calls three clients that nobody registered, by what they are known as.
func (g *gateway) clientIDs(known map[string]string) map[string]string {
	g.t.Helper()
	ids := make(map[string]string)
	list, _ := g.ok("clients", "list")
	for of, label := range known {
		columns := row(g.t, list, label)
		kind, _, _ := strings.Cut(columns[0], ":")
		if columns[1] != kind || columns[2] != "1" || columns[3] != "1" || columns[len(columns)-1] != label {
			g.t.Errorf("%s: %q", of, columns)
		}
		ids[of] = columns[0]
	}
	if my := row(g.t, list, "my-spa"); my[1] != "configured" || my[len(my)-1] != "-" {
		g.t.Errorf("a client of the configuration: %q", my)
	}
	return ids
}

// wantNames looks at what the commands show of clients, by their ids.
func (g *gateway) wantNames(ids, known map[string]string) {
	g.t.Helper()
	list, _ := g.ok("grants", "list", "local|alice")
	agreed, _ := g.ok("consents", "list", "local|alice")
	user, _ := g.ok("users", "show", "local|alice")
	for of, id := range ids {
		label := known[of]
		grant := row(g.t, list, id)
		if grant[1] != id || grant[len(grant)-1] != label {
			g.t.Errorf("grants list: %q", grant)
		}
		if shown := row(g.t, user, id); shown[len(shown)-1] != label {
			g.t.Errorf("users show: %q", shown)
		}
		if consent := row(g.t, agreed, id); consent[0] != id || consent[1] != label {
			g.t.Errorf("consents list: %q", consent)
		}
		if one, _ := g.ok("grants", "show", grant[0]); !strings.Contains(one, id) || !strings.Contains(one, label) {
			g.t.Errorf("grants show:\n%s", one)
		}
		if out, _ := g.ok("grants", "list", "--client", id); !strings.Contains(out, grant[0]) || !strings.Contains(out, "1 grant;") {
			g.t.Errorf("grants list --client %s:\n%s", id, out)
		}
		// The history is written behind the answers; until then the family alone tells.
		out, _ := g.ok("explain", grant[0])
		if row(g.t, out, "client")[1] != id || row(g.t, out, "name")[1] != label {
			g.t.Errorf("explain:\n%s", out)
		}
	}
	for _, table := range []string{list, agreed, user} {
		if strings.Contains(table, "rc1.") || strings.Contains(table, "removed") {
			g.t.Errorf("another name is left:\n%s", table)
		}
	}
}

// TestO12ClientNames: a client that no configuration names has one id, which every command prints
// and takes, and is called as people know it, on each node (section 12, issue 19.1).
func TestO12ClientNames(t *testing.T) {
	for store, options := range map[string]func(t *testing.T) gatewayOptions{
		"bolt":  func(*testing.T) gatewayOptions { return gatewayOptions{} },
		"redis": func(t *testing.T) gatewayOptions { return gatewayOptions{StoreIn: redisAt(redistest.Start(t).Addr)} },
	} {
		t.Run(store, func(t *testing.T) { clientNames(t, options(t)) })
	}
}

const documentURL = "https://claude.ai/oauth/claude-code-client-metadata"

func clientNames(t *testing.T, o gatewayOptions) {
	t.Helper()
	document := filepath.Join(t.TempDir(), "claude.json")
	if err := os.WriteFile(document, []byte(`{"client_id":"`+documentURL+`","client_name":"Claude Code","redirect_uris":["http://localhost/callback"],"token_endpoint_auth_method":"none"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	admitting := o
	admitting.OAuth = "client_registration {\napis " + testAPI + "\nscopes orders:read\naccess open\n}\n" +
		"client_documents {\napis " + testAPI + "\nscopes orders:read\nallow https://claude.ai/\ndocument " + documentURL + " " + document + "\n}"
	g := startGateway(t, admitting)
	g.login()
	named := g.registers(`{"client_name":"Cursor","redirect_uris":["http://127.0.0.1/callback"]}`)
	nameless := g.registers(`{"redirect_uris":["http://localhost/nameless"]}`)
	g.agreeTo(named, "http://127.0.0.1:4711/callback")
	g.agreeTo(nameless, "http://localhost:1/nameless")
	g.agreeTo(documentURL, "http://localhost:3118/callback")
	known := map[string]string{
		named: `"Cursor", to http://127.0.0.1/callback`, nameless: "to http://localhost/nameless", documentURL: `"Claude Code", ` + documentURL,
	}
	ids := g.clientIDs(known)
	for of, kind := range map[string]string{named: "registered", nameless: "registered", documentURL: "document"} {
		if !regexp.MustCompile("^" + kind + ":[A-Za-z0-9_-]{11}$").MatchString(ids[of]) {
			t.Errorf("the id of %s is %q", of, ids[of])
		}
	}
	g.wantNames(ids, known)

	// A node that has met none of them, and does not admit them any more.
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := g.load(o); err != nil {
		t.Fatal(err)
	}
	known[documentURL] = documentURL
	if got := g.clientIDs(known); !maps.Equal(got, ids) {
		t.Errorf("the ids are %v at another node, and %v at the first", got, ids)
	}
	g.wantNames(ids, known)

	// Each id is good for what ends something, and so is the client_id.
	if out, notes := g.ok("clients", "end", "--block", ids[named]); !strings.HasPrefix(out, "ended: everything that "+ids[named]+" held\nblocked") || notes != "" {
		t.Errorf("clients end:\n%s%s", out, notes)
	}
	if out, _ := g.ok("clients", "list"); !strings.Contains(strings.Join(row(t, out, ids[named]), " "), ", blocked") {
		t.Errorf("clients list:\n%s", out)
	}
	g.ok("clients", "unblock", ids[named])
	if out, _ := g.ok("consents", "withdraw", "local|alice", ids[nameless]); !strings.Contains(out, "ended: 1 refresh token family") {
		t.Errorf("consents withdraw:\n%s", out)
	}
	if out, _ := g.ok("clients", "end", documentURL); !strings.HasPrefix(out, "ended: ") {
		t.Errorf("clients end by the client_id:\n%s", out)
	}
	out, _ := g.ok("grants", "list", "local|alice")
	if strings.Count(out, "\n") != 2 || !strings.Contains(out, "my-spa") {
		t.Errorf("afterwards:\n%s", out)
	}
	for _, all := range []string{storage.AllRegistered.String(), storage.AllDocuments.String(), storage.Everyone.String()} {
		if out, err := g.run("clients", "end", all); err == nil {
			t.Errorf("%s ends more than one client:\n%s", all, out)
		}
	}
}
