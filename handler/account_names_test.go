package handler

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

var accountRow = regexp.MustCompile(`(?s)<li>.*?</li>`)

// accountRows returns the rows of the two lists of the account page that have a text in them.
func accountRows(page, with string) (rows []string) {
	for _, row := range accountRow.FindAllString(page, -1) {
		if strings.Contains(row, with) {
			rows = append(rows, row)
		}
	}
	return rows
}

// O12, M-46: /account calls clients that nobody registered as the person knows them, in both lists
// and after a reload without them; where their answers go stands beside it.
func TestO12M46AccountNames(t *testing.T) {
	h := newDocHost(t)
	both := func(core *tokens.Config, cfg *Config) {
		h.documents()(core, cfg)
		registering(core, cfg)
	}
	g := newGateway(t, both)
	document, host := h.publish("/claude", nil), strings.TrimPrefix(h.URL, "https://")
	b := g.browser()
	b.tokensOf() // of a client of the configuration
	registered := g.registered(`{"client_name":"Cur<b>sor","redirect_uris":["http://127.0.0.1:1/cb","cursor://anysphere.cursor-mcp/cb"]}`)["client_id"].(string)
	nameless := g.registered(`{"redirect_uris":["https://claude.ai/api/mcp/auth_callback"]}`)["client_id"].(string)
	for id, redirect := range map[string]string{
		document: "http://localhost:3118/callback", registered: "cursor://anysphere.cursor-mcp/cb", nameless: "https://claude.ai/api/mcp/auth_callback",
	} {
		q := b.agree(strangerURL(id, redirect))
		if res := g.exchangeFor(id, redirect, q.Get("code")); res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", id, res.StatusCode, res.Body)
		}
	}
	wants := func(page string, claude string) {
		t.Helper()
		for name, want := range map[string]string{
			"document":   "<strong>" + host + "</strong>" + claude + "<span>an app on this computer</span>",
			"registered": "<strong>“<bdi>Cur&lt;b&gt;sor</bdi>”</strong><span>an app on this computer (cursor)</span>",
			"nameless":   "<strong>An application without a name</strong><span>claude.ai</span>",
		} {
			if rows := accountRows(page, want); len(rows) != 2 || !strings.Contains(rows[0], `name="end"`) || !strings.Contains(rows[1], `name="withdraw"`) {
				t.Errorf("%s: %d rows have %s:\n%s", name, len(rows), want, page)
			}
		}
		if rows := accountRows(page, "<strong>Orders</strong><span>"); len(rows) != 1 {
			t.Errorf("a client of the configuration:\n%s", page)
		}
		for _, wrong := range []string{"no longer in use", "rc1.", `aria-label="Sign out: ,`} {
			if strings.Contains(page, wrong) {
				t.Errorf("the page has %q:\n%s", wrong, page)
			}
		}
	}
	wants(b.get("/account").Body, "<span>“<bdi>Claude Code</bdi>”</span>")
	if page := b.get("/account").Body; !strings.Contains(page, `aria-label="Sign out: “Cur&lt;b&gt;sor”, `) {
		t.Errorf("the buttons:\n%s", page)
	}

	core := g.Issuer.Config()
	core.Registration, core.Documents = nil, nil
	var err error
	if g.Issuer, err = tokens.NewIssuer(core, g.state); err != nil {
		t.Fatal(err)
	}
	wants(b.get("/account").Body, "")

	// One that is ended is gone from the first list, and can be withdrawn from in the other.
	row := accountRows(b.get("/account").Body, "sor</bdi>")[1]
	action, fields := form(t, b.get("/account").Body)
	fields.Set("withdraw", regexp.MustCompile(`name="withdraw" value="([^"]*)"`).FindStringSubmatch(row)[1])
	if page := b.post(action, fields).Body; len(accountRows(page, "sor</bdi>")) != 0 || len(accountRows(page, host)) != 2 {
		t.Errorf("after the withdrawal:\n%s", page)
	}
}
