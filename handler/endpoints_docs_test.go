package handler

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// corsOnThePage is what docs/endpoints.md calls each kind.
var corsOnThePage = map[corsKind]string{
	corsNone: "none", corsClient: "own", corsCredentials: "own, credentials", corsCookie: "own, credentials for cookie clients", corsAny: "any",
}

// errorsOnThePage is what it calls the answers of a fail function.
var errorsOnThePage = map[string]string{"failPage": "page", "failJSON": "JSON", "failBearer": "challenge", "failRegistration": "JSON, challenge"}

func endpointsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/endpoints.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

var quotedText = regexp.MustCompile("`([^`]+)`")

func quotedIn(cell string) (found []string) {
	for _, m := range quotedText.FindAllStringSubmatch(cell, -1) {
		found = append(found, m[1])
	}
	return found
}

// TestEndpointsAreDocumented holds the table of docs/endpoints.md to the route table: names,
// paths, methods, CORS, errors, in the same order.
func TestEndpointsAreDocumented(t *testing.T) {
	var rows [][]string
	for line := range strings.Lines(endpointsPage(t)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) == 6 && strings.Contains(cells[0], "`") {
			rows = append(rows, cells)
		}
	}
	all := endpoints()
	if len(rows) != len(all) {
		t.Fatalf("the page has %d endpoints, there are %d", len(rows), len(all))
	}
	for i, e := range all {
		paths := []string{e.path}
		if e.alias != "" {
			paths = append(paths, e.alias)
		}
		if e.perLogin {
			paths[0] += "/<login>"
		}
		fail := runtime.FuncForPC(reflect.ValueOf(e.fail).Pointer()).Name()
		fail = fail[strings.LastIndex(fail, ".")+1:]
		want := []string{e.name, strings.Join(paths, " "), strings.Join(e.methods, " "), corsOnThePage[e.cors], errorsOnThePage[fail]}
		row := rows[i]
		got := []string{strings.Join(quotedIn(row[0]), " "), strings.Join(quotedIn(row[1]), " "), strings.TrimSpace(row[2]), strings.TrimSpace(row[4]), strings.TrimSpace(row[5])}
		if !slices.Equal(got, want) {
			t.Errorf("the page has %q, want %q", got, want)
		}
	}
}

// TestErrorCodesAreDocumented: docs/endpoints.md explains each code that an answer can have, and no other.
func TestErrorCodesAreDocumented(t *testing.T) {
	_, list, ok := strings.Cut(endpointsPage(t), "\n| code | status | means |\n")
	list, _, _ = strings.Cut(list, "\n\n")
	if !ok {
		t.Fatal("docs/endpoints.md has no list of codes")
	}
	var explained []string
	for line := range strings.Lines(list) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		explained = append(explained, quotedIn(cell)...)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../tokens/oauth/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "ErrorCode" {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	slices.Sort(codes)
	slices.Sort(explained)
	if !slices.Equal(codes, explained) || len(codes) < 20 {
		t.Errorf("the page explains %q, the codes are %q", explained, codes)
	}
}
