package caddymodule

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// TestMain fails when any test has brought about an outcome that is in none of
// the closed sets: it would be counted, and nobody would know as what.
func TestMain(m *testing.M) {
	code := m.Run()
	for kind, counters := range processMetrics.events {
		if _, closed := outcomes[kind]; closed && countOf(counters[other]) > 0 {
			fmt.Fprintf(os.Stderr, "the event %s had an outcome that is not in its closed set\n", kind)
			code = 1
		}
	}
	os.Exit(code)
}

func countOf(c prometheus.Counter) float64 { return counts(map[string]prometheus.Counter{"": c})[""] }

// TestOutcomesAreClosed holds the sets to the sources: every kind has one, and
// every outcome that stands in the sources as a text is in it.
func TestOutcomesAreClosed(t *testing.T) {
	for _, kind := range eventKinds {
		if outcomes[kind] == nil && kind != tokens.EventClientCredential {
			t.Errorf("%s has no set of outcomes", kind)
		}
	}
	if len(outcomes) != len(eventKinds)-1 {
		t.Errorf("%d sets for %d kinds", len(outcomes), len(eventKinds))
	}
	var audits []string
	for _, a := range adminapi.Actions {
		if a.Audit != "" {
			audits = append(audits, a.Audit)
		}
	}
	if got := outcomes[tokens.EventAdmin]; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(audits))) {
		t.Errorf("the outcomes of admin are %v, the actions %v", got, audits)
	}
	kinds := eventConstants(t)
	if got := slices.Sorted(maps.Values(kinds)); !slices.Equal(got, slices.Sorted(slices.Values(eventKinds))) {
		t.Errorf("eventKinds are %v, the constants %v", eventKinds, got)
	}
	found := 0
	for _, e := range eventLiterals(t) {
		found++
		kind, ok := kinds[e.kind]
		if !ok {
			t.Errorf("%s: the kind %s is no constant", e.file, e.kind)
			continue
		}
		if e.outcome == "" {
			t.Errorf("%s: %s without an outcome", e.file, kind)
		} else if !strings.Contains(e.outcome, "%s") && !slices.Contains(outcomes[kind], e.outcome) {
			t.Errorf("%s: %s with the outcome %q, which is not in its set", e.file, kind, e.outcome)
		}
	}
	if found < 30 {
		t.Errorf("found only %d events in the sources", found)
	}
}

// eventConstants returns the kinds by the names of their constants.
func eventConstants(t *testing.T) map[string]tokens.EventKind {
	t.Helper()
	kinds := make(map[string]tokens.EventKind)
	ast.Inspect(sources(t, "../tokens/observer.go")["../tokens/observer.go"], func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Event") {
			kinds[spec.Names[0].Name] = tokens.EventKind(text(spec.Values[0]))
		}
		return true
	})
	return kinds
}

// eventLiteral is an Event that is made in the sources. The outcome is "" where it
// has none, and %s where it is not a text.
type eventLiteral struct{ file, kind, outcome string }

func eventLiterals(t *testing.T) (found []eventLiteral) {
	t.Helper()
	for _, dir := range []string{"../tokens", "../handler", "."} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if made, ok := n.(*ast.CompositeLit); ok {
					if e, ok := eventOf(made); ok {
						e.file = name
						found = append(found, e)
					}
				}
				return true
			})
		}
	}
	return found
}

// eventOf reads a literal with a Kind that is one of the constants Event….
func eventOf(made *ast.CompositeLit) (e eventLiteral, ok bool) {
	for _, element := range made.Elts {
		pair, isPair := element.(*ast.KeyValueExpr)
		if !isPair {
			continue
		}
		switch key, _ := pair.Key.(*ast.Ident); {
		case key == nil:
		case key.Name == "Kind":
			value := pair.Value
			if s, ok := value.(*ast.SelectorExpr); ok {
				value = s.Sel
			}
			if id, isName := value.(*ast.Ident); isName && strings.HasPrefix(id.Name, "Event") {
				e.kind, ok = id.Name, true
			}
		case key.Name == "Outcome":
			e.outcome = text(pair.Value)
		}
	}
	if e.kind == "EventRefresh" {
		e.outcome = "%s" // it is decided later
	}
	return e, ok
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

// TestEventsAreDocumented holds docs/events.md to the code: every kind with its
// outcomes and its level, every reason, and nothing else.
func TestEventsAreDocumented(t *testing.T) {
	text := page(t, "events.md")
	documented := make(map[tokens.EventKind]bool)
	for _, row := range rows(text, "`oauth.") {
		kind := tokens.EventKind(strings.TrimPrefix(allQuoted(row[0])[0], "oauth."))
		documented[kind] = true
		names := allQuoted(row[1])
		if strings.Contains(row[1], "*reason*") {
			names = append(names, reasonNames()...)
		}
		want := outcomes[kind]
		if got := slices.Sorted(slices.Values(names)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: the page has the outcomes %v, the code %v", kind, names, want)
		}
		for _, outcome := range append(slices.Clone(want), "other") {
			e := tokens.Event{Kind: kind, Outcome: outcome}
			if level := levelOn(row[2], outcome); outcome != "other" && logLevel(withCause(e)) != level {
				t.Errorf("%s, %s: logged at %s, the page has %s", kind, outcome, logLevel(withCause(e)), level)
			}
		}
	}
	for _, kind := range eventKinds {
		if !documented[kind] {
			t.Errorf("%s is not documented", kind)
		}
		delete(documented, kind)
	}
	for kind := range documented {
		t.Errorf("%s is documented, but no event", kind)
	}
	_, list, _ := strings.Cut(text, "\n### Reasons\n")
	list, _, _ = strings.Cut(list, "\n## ")
	var explained []string
	for _, row := range rows(list, "`") {
		explained = append(explained, allQuoted(row[0])...)
	}
	if slices.Sort(explained); !slices.Equal(explained, slices.Sorted(slices.Values(reasonNames()))) {
		t.Errorf("the page explains the reasons %v, there are %v", explained, reasonNames())
	}
}

// withCause adds the cause that such an outcome has.
func withCause(e tokens.Event) tokens.Event {
	switch e.Outcome {
	case healthOK, tokens.ClockAgrees:
	default:
		e.Cause = http.ErrAbortHandler
	}
	return e
}

// levelOn reads a cell such as "error; info for `ok`".
func levelOn(cell, outcome string) zapcore.Level {
	level, rest, _ := strings.Cut(strings.ReplaceAll(cell, ",", ";"), ";")
	for part := range strings.SplitSeq(level+";"+rest, ";") {
		name, which, some := strings.Cut(strings.TrimSpace(part), " for ")
		if some && slices.Contains(allQuoted(which), outcome) || !some && level == part {
			level = name
		}
	}
	parsed, err := zapcore.ParseLevel(strings.TrimSpace(level))
	if err != nil {
		return zapcore.InvalidLevel
	}
	return parsed
}

var descOf = regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)

// described returns the labels of every metric by its name.
func described(t *testing.T) map[string][]string {
	t.Helper()
	collectors := append(slices.Clone(processMetrics.collectors),
		servingCollector{})
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
