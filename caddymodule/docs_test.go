package caddymodule

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sources parses the package's files, tests apart.
func sources(t *testing.T, names ...string) map[string]*ast.File {
	t.Helper()
	if len(names) == 0 {
		entries, err := os.ReadDir(".")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
				names = append(names, e.Name())
			}
		}
	}
	files := make(map[string]*ast.File)
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}

// defaultAtEnd matches a comment whose last sentence names the default.
var defaultAtEnd = regexp.MustCompile(`(?:^|\s)Default: [^.]*(?:\.[^. ][^.]*)*\.?$`)

// TestEveryFieldIsDocumented keeps the website's documentation whole: it is made of these comments.
func TestEveryFieldIsDocumented(t *testing.T) {
	fields := 0
	configured := sources(t)
	maps.Copy(configured, sources(t, "webhook/webhook.go"))
	for name, file := range configured {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			body, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range body.Fields.List {
				if f.Tag == nil || !strings.Contains(f.Tag.Value, `json:"`) || strings.Contains(f.Tag.Value, `json:"-"`) {
					continue
				}
				fields++
				comment := strings.Join(strings.Fields(f.Doc.Text()), " ")
				if !defaultAtEnd.MatchString(comment) {
					t.Errorf("%s: the comment of %s.%s does not end with its default: %q", name, spec.Name, f.Names[0], comment)
				}
			}
			return true
		})
	}
	if fields < 40 {
		t.Errorf("found only %d fields", fields)
	}
}

// untested are messages that no configuration can bring about.
var untested = []string{
	"loading a login: %T is not a login module", // needs a module of somebody else's
	"loading the store: %T is not a store module",
}

// TestEveryErrorIsTested finds every message in the sources of the
// configuration and demands that some test expects it.
func TestEveryErrorIsTested(t *testing.T) {
	var wanted strings.Builder
	for _, path := range goldenFiles(t) {
		for _, c := range readGolden(t, path) {
			if !c.wantsJSON() {
				wanted.WriteString(c.want + "\n")
			}
		}
	}
	for _, tables := range [][]struct{ name, config, want string }{jsonErrors, localErrors, providerErrors, keyErrors, provisionErrors, issuerErrors} {
		for _, tt := range tables {
			wanted.WriteString(tt.want + "\n")
		}
	}
	wanted.WriteString(tagCollision + "\n")
	all := wanted.String()

	messages := 0
	for name, file := range sources(t, "api.go", "api_scope.go", "group.go", "group_check.go", "group_name.go", "groups.go", "plaintext.go", "bearer_caddyfile.go", "bearer_issuer_check.go", "bearer_issuer_keys.go", "caddyfile.go", "check.go", "client.go", "client_auth.go", "client_check.go",
		"client_mtls.go", "dpop.go", "denylist.go", "grammar/reader.go", "grammar/options.go", "grammar/placeholder.go", "hash.go", "login.go", "login_address.go", "login_allow.go", "login_auth.go", "login_caddyfile.go", "login_github.go", "login_oidc.go", "login_oidc_caddyfile.go",
		"login_oidc_check.go", "login_presets.go", "login_provider.go", "logins.go", "refresh.go", "registration.go", "strangers.go", "secret.go", "session.go", "signing.go", "theme.go", "urls.go") {
		ast.Inspect(file, func(n ast.Node) bool {
			format, ok := message(n)
			if !ok || slices.Contains(untested, format) {
				return true
			}
			messages++
			if !messagePattern(format).MatchString(all) {
				t.Errorf("%s: no test expects %q", name, format)
			}
			return true
		})
	}
	if messages < 100 {
		t.Errorf("found only %d messages", messages)
	}
}

// message returns the format of a call that makes an error.
func message(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return "", false
	}
	var callee string
	switch f := call.Fun.(type) {
	case *ast.Ident:
		callee = f.Name
	case *ast.SelectorExpr:
		callee = f.Sel.Name
		if x, ok := f.X.(*ast.Ident); ok && (x.Name == "errors" || x.Name == "fmt") {
			callee = x.Name + "." + callee
		}
	}
	at, ok := map[string]int{"Wrong": 1, "WrongValue": 2, "Errf": 0, "errorf": 0, "Errorf": 0, "Err": 0, "errors.New": 0, "fmt.Errorf": 0}[callee]
	if !ok || len(call.Args) <= at {
		return "", false
	}
	return text(call.Args[at]), true
}

// text returns a string expression with %s for what is not a literal.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil {
			return s
		}
	case *ast.BinaryExpr:
		return text(e.X) + text(e.Y)
	}
	return "%s"
}

var verb = regexp.MustCompile(`%[a-zA-Z]`)

// messagePattern matches what comes of a format. The tables name only the
// beginning of a message, so what follows a fix's colon may be missing.
func messagePattern(format string) *regexp.Regexp {
	head := format
	if i := strings.LastIndex(head, ": "); i > 0 && !strings.HasSuffix(head[:i], "%s") {
		head = head[:i]
	}
	parts := verb.Split(head, -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(strings.Join(parts, `.*`))
}
