package caddymodule

import (
	"regexp"
	"strings"
	"testing"
)

var alertExpr = regexp.MustCompile(`(?m)^ +expr: (.*)$`)

// TestAlerts holds docs/alerts.yaml to the metrics of a gateway: names, labels, and
// the events and outcomes that its rules pick. That they fire is promtool's test
// (.ci/alerts.test.yaml).
func TestAlerts(t *testing.T) {
	known, found := described(t), 0
	for _, rule := range alertExpr.FindAllStringSubmatch(page(t, "alerts.yaml"), -1) {
		found++
		used := regexp.MustCompile(`(caddy_oauth_\w+)(\{[^}]*\})?`).FindAllStringSubmatch(rule[1], -1)
		if len(used) == 0 {
			t.Errorf("a rule without a metric: %s", rule[1])
		}
		for _, m := range used {
			name, labels := baseName(m[1], known)
			if known[name] == nil {
				t.Errorf("there is no metric %s: %s", m[1], rule[1])
			}
			checkLabels(t, rule[1], name, labels, strings.Trim(m[2], "{}"), rule[1])
		}
	}
	if found < 10 {
		t.Errorf("found %d rules", found)
	}
}
