package caddymodule

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// dashboard is what the test reads of docs/grafana.json.
type dashboard struct {
	SchemaVersion int `json:"schemaVersion"`
	Panels        []struct {
		ID      int    `json:"id"`
		Title   string `json:"title"`
		Type    string `json:"type"`
		GridPos struct {
			X, Y, W, H int
		} `json:"gridPos"`
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
}

var (
	metricUse  = regexp.MustCompile(`(caddy_oauth_\w+)\{([^}]*)\}`)
	matcherUse = regexp.MustCompile(`(\w+)(=~|!=|=)"([^"]*)"`)
	byUse      = regexp.MustCompile(`by \(([^)]*)\)`)
)

// rarely are metrics that a gateway shows only when there is something to show.
var rarely = []string{
	"caddy_oauth_store_errors_total", "caddy_oauth_issuer_keys_age_seconds", "caddy_oauth_client_credentials_used_total",
	"caddy_oauth_feed_lag_seconds", "caddy_oauth_feed_newest_line_age_seconds",
}

// questions are the rows of the dashboard.
var questions = []string{
	"Can everybody sign in, refresh and pass?", "Is somebody stealing or guessing?", "What is slow?", "What will run out, or is falling behind?",
}

// TestDashboard holds docs/grafana.json to the metrics of a gateway: names,
// labels, and the events and outcomes that its panels pick. No metric is missing,
// and the rows are an operator's questions. That Prometheus can read its
// expressions is a step of .ci/run.
func TestDashboard(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(page(t, "grafana.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.SchemaVersion < 39 {
		t.Errorf("schema version %d", d.SchemaVersion)
	}
	g := startGateway(t, gatewayOptions{})
	g.call("/orders", g.login().AccessToken)
	_, shown := g.admin(http.MethodGet, "/metrics")
	known := described(t)
	used, rows := make(map[string]bool), []string(nil)
	ids := make(map[int]bool)
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: its id, title or place is wrong", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			rows = append(rows, p.Title)
		}
		if (len(p.Targets) == 0) != (p.Type == "row") {
			t.Errorf("panel %q has %d expressions", p.Title, len(p.Targets))
		}
		for _, target := range p.Targets {
			found := metricUse.FindAllStringSubmatch(target.Expr, -1)
			if len(found) != strings.Count(target.Expr, "caddy_oauth_") || len(found) == 0 {
				t.Errorf("panel %q: a metric without a selector: %s", p.Title, target.Expr)
			}
			for _, m := range found {
				name, labels := baseName(m[1], known)
				used[name] = true
				if known[name] == nil && !strings.Contains(shown, "# TYPE "+name+" ") {
					t.Errorf("panel %q: there is no metric %s", p.Title, m[1])
				}
				if !slices.Contains(rarely, name) && !strings.Contains(shown, "\n"+m[1]) {
					t.Errorf("panel %q: the gateway does not show %s", p.Title, m[1])
				}
				checkLabels(t, p.Title, name, labels, m[2], target.Expr)
			}
		}
	}
	if !slices.Equal(rows, questions) {
		t.Errorf("rows: %q", rows)
	}
	for name := range known {
		if !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// baseName returns the metric that a name in an expression belongs to, and its labels.
func baseName(name string, known map[string][]string) (base string, labels []string) {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && known[base] != nil {
			return base, append(slices.Clone(known[base]), "le")
		}
	}
	return name, known[name]
}

// checkLabels holds the labels of an expression, and the values that it picks, to those of a metric.
func checkLabels(t *testing.T, panel, metric string, labels []string, matchers, expr string) {
	t.Helper()
	has := func(label string) bool {
		return label == "job" || label == "instance" || slices.Contains(labels, label)
	}
	for _, by := range byUse.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			if label = strings.TrimSpace(label); !has(label) {
				t.Errorf("panel %q: %s has no label %s", panel, metric, label)
			}
		}
	}
	outcomes := oauth.EventRefresh.Outcomes() // of a metric that counts nothing else
	for _, m := range matcherUse.FindAllStringSubmatch(matchers, -1) {
		if !has(m[1]) {
			t.Errorf("panel %q: %s has no label %s", panel, metric, m[1])
		}
		if m[1] == "event" {
			outcomes = nil
		}
		for value := range strings.SplitSeq(m[3], "|") {
			switch {
			case m[1] == "event" && slices.Contains(oauth.EventKinds(), oauth.EventKind(value)):
				outcomes = append(outcomes, oauth.EventKind(value).Outcomes()...)
			case (m[1] == "reason" || m[1] == "verdict") && !slices.Contains(oauth.Reasons, oauth.Reason(value)),
				m[1] == "event",
				m[1] == "outcome" && m[2] != "!=" && value != "other" && !slices.Contains(outcomes, oauth.Outcome(value)):
				t.Errorf("panel %q: %s is never %q", panel, m[1], value)
			}
		}
	}
}
