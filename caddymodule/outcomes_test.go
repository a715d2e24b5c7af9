package caddymodule

import (
	"cmp"
	"fmt"
	"go/ast"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestMain fails when any test has brought about an outcome that its kind does not
// have: it would be counted, and nobody would know as what.
func TestMain(m *testing.M) {
	code := m.Run()
	registry := prometheus.NewRegistry()
	if err := events.Process.Register(registry); err != nil {
		panic(err)
	}
	families, err := registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			kind := oauth.EventKind(labels["event"])
			if f.GetName() == "caddy_oauth_events_total" && labels["outcome"] == "other" && kind.Outcomes() != nil && m.GetCounter().GetValue() > 0 {
				fmt.Fprintf(os.Stderr, "the event %s had an outcome that is not in its closed set\n", kind)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// TestOutcomesAreClosed holds the sources to the outcomes of each kind: every event
// that is made has a constant of its kind, or what it is converted from is a closed
// set itself, which is the same.
func TestOutcomesAreClosed(t *testing.T) {
	kinds, constants := eventConstants(t, "EventKind"), eventConstants(t, "Outcome")
	if got := slices.Sorted(maps.Values(kinds)); !slices.Equal(got, texts(oauth.EventKinds())) {
		t.Errorf("the kinds are %v, the constants %v", oauth.EventKinds(), got)
	}
	var all []oauth.Outcome
	for _, kind := range oauth.EventKinds() {
		if kind.Outcomes() == nil && kind != oauth.EventClientCredential {
			t.Errorf("%s has no outcomes", kind)
		}
		all = append(all, kind.Outcomes()...)
	}
	for name, outcome := range constants {
		if !slices.Contains(all, oauth.Outcome(outcome)) {
			t.Errorf("%s is an outcome of no kind", name)
		}
	}
	found := 0
	for _, e := range eventLiterals(t, constants) {
		found++
		kind, ok := kinds[e.kind]
		if !ok {
			t.Errorf("%s: the kind %s is no constant", e.file, e.kind)
			continue
		}
		if e.outcome == "" {
			t.Errorf("%s: %s without an outcome", e.file, kind)
		} else if e.outcome != "%s" && !slices.Contains(oauth.EventKind(kind).Outcomes(), oauth.Outcome(e.outcome)) {
			t.Errorf("%s: %s with the outcome %q, which its kind does not have", e.file, kind, e.outcome)
		}
	}
	if found < 30 {
		t.Errorf("found only %d events in the sources", found)
	}
}

// TestOutcomesOfOthers holds outcomes to the closed sets that other packages have.
func TestOutcomesOfOthers(t *testing.T) {
	var audits []string
	for _, a := range adminapi.Actions {
		if a.Audit != "" && !slices.Contains(audits, a.Audit) { // two commands may do the same
			audits = append(audits, a.Audit)
		}
	}
	if got := oauth.EventAdmin.Outcomes(); !slices.Equal(texts(got), texts(audits)) {
		t.Errorf("the outcomes of admin are %v, the actions %v", got, audits)
	}
	if got := oauth.EventKeyRotated.Outcomes(); !slices.Equal(texts(got), texts(jose.Algorithms())) {
		t.Errorf("the outcomes of key_rotated are %v, the algorithms %v", got, jose.Algorithms())
	}
	for _, name := range append(handler.EndpointNames(), "openid_configuration", "authorization_server") {
		if reports := slices.Contains(oauth.EventStoreTrouble.Outcomes(), oauth.Outcome(name)); reports == (name == "token") {
			t.Errorf("the endpoint %s is an outcome of store_trouble: %t", name, reports)
		}
	}
}

// texts returns words as texts, in order.
func texts[W ~string](words []W) []string {
	found := make([]string, len(words))
	for i, w := range words {
		found[i] = string(w)
	}
	slices.Sort(found)
	return found
}

// eventConstants returns the constants of a type by their names.
func eventConstants(t *testing.T, typed string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	ast.Inspect(sources(t, "../tokens/oauth/events.go")["../tokens/oauth/events.go"], func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == typed {
				found[spec.Names[0].Name] = text(spec.Values[0])
			}
		}
		return true
	})
	return found
}

// eventLiteral is an Event that is made in the sources. The outcome is "" where it
// has none, and %s where it is neither a constant nor a text.
type eventLiteral struct{ file, kind, outcome string }

func eventLiterals(t *testing.T, constants map[string]string) (found []eventLiteral) {
	t.Helper()
	for _, root := range []string{"../tokens", "../handler", "."} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			ast.Inspect(sources(t, name)[name], func(n ast.Node) bool {
				if made, ok := n.(*ast.CompositeLit); ok {
					if e, ok := eventOf(made, constants); ok {
						e.file = name
						found = append(found, e)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// eventOf reads a literal with a Kind that is one of the constants Event….
func eventOf(made *ast.CompositeLit, constants map[string]string) (e eventLiteral, ok bool) {
	for _, element := range made.Elts {
		pair, isPair := element.(*ast.KeyValueExpr)
		if !isPair {
			continue
		}
		switch key, _ := pair.Key.(*ast.Ident); {
		case key == nil:
		case key.Name == "Kind":
			if name := nameIn(pair.Value); strings.HasPrefix(name, "Event") {
				e.kind, ok = name, true
			}
		case key.Name == "Outcome":
			e.outcome = cmp.Or(constants[nameIn(pair.Value)], text(pair.Value))
		}
	}
	if e.kind == "EventRefresh" {
		e.outcome = "%s" // it is decided later
	}
	return e, ok
}

// nameIn returns the name that an expression is, its package aside.
func nameIn(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		e = s.Sel
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// page reads a page of the documentation.
func page(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var quoted = regexp.MustCompile("`([^`]+)`")

func allQuoted(cell string) (names []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		names = append(names, m[1])
	}
	return names
}

// rows returns the cells of the tables' rows whose first cell begins with a text.
func rows(page, begin string) (found [][]string) {
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "| "+begin) {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			found = append(found, cells)
		}
	}
	return found
}

var descOf = regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)

// described returns the labels of every metric by its name.
func described(t *testing.T) map[string][]string {
	t.Helper()
	collectors := append(events.Process.All(), newGaugeCollector(serving.app))
	found := make(map[string][]string)
	for _, c := range collectors {
		ch := make(chan *prometheus.Desc)
		go func() {
			defer close(ch)
			c.Describe(ch)
		}()
		for d := range ch {
			m := descOf.FindStringSubmatch(d.String())
			if m == nil {
				t.Fatalf("cannot read %s", d)
			}
			found[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
		}
	}
	return found
}

// TestMetricsAreDocumented holds docs/events.md to the metrics that there are.
func TestMetricsAreDocumented(t *testing.T) {
	missing := described(t)
	for _, row := range rows(page(t, "events.md"), "`caddy_oauth_") {
		name := allQuoted(row[0])[0]
		labels, ok := missing[name]
		if !ok {
			t.Errorf("%s is documented, and does not exist or stands there twice", name)
			continue
		}
		if got := allQuoted(row[2]); !slices.Equal(got, labels) && len(got)+len(labels) > 0 {
			t.Errorf("%s has the labels %v, the page %v", name, labels, got)
		}
		if counter := strings.HasSuffix(name, "_total"); counter != (row[1] == "counter") {
			t.Errorf("%s is documented as a %s", name, row[1])
		}
		delete(missing, name)
	}
	for name := range missing {
		t.Errorf("%s is not documented", name)
	}
}
