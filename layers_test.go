package gatehouse_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/gatehouse-auth/gatehouse"

// arrow is a package, and the packages of this module that it imports: no others,
// and each of them.
type arrow struct{ folder, imports string }

// arrows are the import rule, what lies lowest first. The same stands in
// .golangci.yml, for editors.
var arrows = []arrow{
	{"tokens/background", ""},
	{"tokens/storage", ""},
	{"tokens/secrets", ""},
	{"tokens/recent", ""},
	{"tokens/spans", ""},
	{"tokens/clientid", "tokens/secrets"},
	{"tokens/oauth", "tokens/background tokens/storage"},
	{"tokens/jose", "tokens/oauth tokens/storage"},
	{"tokens/jwks", "tokens/background tokens/jose tokens/oauth"},
	{"tokens/clientdoc", "tokens/background tokens/jose tokens/oauth tokens/recent tokens/storage"},
	{"tokens/people", "tokens/storage"},
	{"tokens/keyring", "tokens/background tokens/jose tokens/oauth tokens/secrets tokens/storage"},
	{"tokens/denylist", "tokens/background tokens/oauth tokens/storage"},
	{"tokens/dpop", "tokens/jose tokens/oauth tokens/secrets tokens/storage"},
	{"tokens/verify", "tokens/background tokens/denylist tokens/jose tokens/jwks tokens/keyring tokens/oauth tokens/storage"},
	{"tokens/sites", "tokens/verify"},
	{"tokens/clients", "tokens/clientdoc tokens/clientid tokens/jose tokens/jwks tokens/oauth tokens/people tokens/recent tokens/storage"},
	{"tokens/history", "tokens/background tokens/oauth tokens/storage"},
	{"tokens/state", "tokens/background tokens/clientdoc tokens/clients tokens/denylist tokens/history tokens/keyring tokens/oauth tokens/secrets tokens/storage tokens/verify"},
	{"tokens/logout", "tokens/background tokens/jose tokens/oauth tokens/storage"},
	{"tokens", "tokens/background tokens/clientdoc tokens/clients tokens/dpop tokens/history tokens/jose tokens/keyring tokens/logout tokens/oauth tokens/people tokens/secrets tokens/sites tokens/spans tokens/state tokens/storage tokens/verify"},
	{"tokens/admin", "tokens tokens/background tokens/clients tokens/history tokens/keyring tokens/oauth tokens/people tokens/sites tokens/state tokens/storage tokens/verify"},
	{"tokens/transfer", "tokens/keyring tokens/secrets tokens/storage"},
	{"tokens/boltstore", "tokens/background tokens/storage"},
	{"tokens/redisstore", "tokens/background tokens/storage"},
	{"tokens/redisstore/flatten", ""},
	{"tokens/redisstore/redistest", ""},
	{"tokens/storetest", "tokens/storage"},
	{"tokens/issuertest", "tokens tokens/admin tokens/clients tokens/history tokens/jose tokens/keyring tokens/oauth tokens/secrets tokens/state tokens/storage tokens/storetest"},
	{"tokens/tokenstest", "tokens/oauth tokens/secrets"},
	{"handler/wire", "tokens/dpop tokens/jose tokens/oauth tokens/spans"},
	{"handler/wire/wiretest", "tokens/jose"},
	{"handler/identity", "tokens/oauth tokens/verify"},
	{"handler/guard", "handler/identity handler/wire tokens/dpop tokens/jose tokens/oauth tokens/people tokens/spans tokens/verify"},
	{"handler/once", ""},
	{"handler/site", "handler/identity handler/once handler/pages handler/wire tokens/oauth tokens/people tokens/sites tokens/spans tokens/verify"},
	{"handler/streams", "tokens/background"},
	{"handler/fetch", "tokens/clientdoc tokens/jose tokens/oauth"},
	{"handler/login", "tokens tokens/clients tokens/oauth tokens/people tokens/storage"},
	{"handler/upstream", "handler/fetch handler/login tokens tokens/background tokens/jose tokens/jwks tokens/oauth tokens/storage"},
	{"handler/pages", ""},
	{"handler", "handler/login handler/once handler/pages handler/wire tokens tokens/clientdoc tokens/clients tokens/dpop tokens/jose tokens/oauth tokens/secrets tokens/sites tokens/spans tokens/storage"},
	{"caddymodule/grammar", ""},
	{"caddymodule/events", "tokens/background tokens/oauth tokens/storage"},
	{"caddymodule/webhook", "caddymodule/events caddymodule/grammar tokens/background tokens/oauth"},
	{"caddymodule/adminapi", "handler/login tokens tokens/admin tokens/background tokens/boltstore tokens/history tokens/keyring tokens/oauth tokens/state tokens/storage tokens/transfer"},
	{"caddymodule", "caddymodule/adminapi caddymodule/events caddymodule/grammar caddymodule/webhook handler handler/fetch handler/guard handler/identity handler/login handler/pages handler/site handler/streams handler/upstream handler/wire tokens tokens/admin tokens/background tokens/boltstore tokens/clientdoc tokens/clients tokens/denylist tokens/dpop tokens/jose tokens/jwks tokens/keyring tokens/logout tokens/oauth tokens/people tokens/redisstore tokens/secrets tokens/sites tokens/spans tokens/state tokens/storage tokens/verify"},
	{"caddymodule/command", "caddymodule caddymodule/adminapi tokens/background tokens/boltstore tokens/clients tokens/secrets tokens/transfer"},
	{".", "caddymodule caddymodule/command"},
	{"bench", "tokens tokens/boltstore tokens/clients tokens/jose tokens/keyring tokens/oauth tokens/redisstore tokens/secrets tokens/state tokens/storage tokens/verify"},
}

// only are the packages that may know a library, and all below them. Test files are free.
var only = map[string][]string{
	"github.com/caddyserver": {"caddymodule", "e2e", "."},
	"github.com/coreos":      {"handler/upstream", "examples"},
	"github.com/lestrrat-go": {"tokens/jose"},
	"github.com/redis":       {"tokens/redisstore", "bench"},
	"github.com/spf13":       {"caddymodule/command"},
	"go.etcd.io/bbolt":       {"tokens/boltstore"},
	"go.opentelemetry.io":    {"tokens/spans", "e2e"},
	"golang.org/x/oauth2":    {"handler/upstream", "examples"},
	"math/rand":              {"tokens/verify", "handler/streams", "bench", "e2e"}, // which cache entry goes, which lock is taken, and load; all else is cryptographic, and injected
	"net/http":               {"handler", "caddymodule", "bench", "e2e", "examples"},
}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Imports    []string
}

// folder is where the package stands, "." for the root of the module.
func (l listed) folder() string {
	if l.ImportPath == modulePath {
		return "."
	}
	return strings.TrimPrefix(l.ImportPath, modulePath+"/")
}

// own are the packages of this module that it imports.
func (l listed) own() []string {
	var own []string
	for _, i := range l.Imports {
		if name, ok := strings.CutPrefix(i, modulePath+"/"); ok {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return own
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// TestLayers holds every package to its arrows, and to the libraries that it may know.
func TestLayers(t *testing.T) {
	drawn := make(map[string]string)
	for _, a := range arrows {
		drawn[a.folder] = a.imports
	}
	for _, p := range listPackages(t) {
		want, ok := drawn[p.folder()]
		delete(drawn, p.folder())
		if below(p.folder(), "e2e") || below(p.folder(), "examples") {
			want, ok = strings.Join(p.own(), " "), true
		}
		if got := strings.Join(p.own(), " "); !ok || got != want {
			t.Errorf("%s imports %q, and is drawn with %q: see arrows", p.folder(), got, want)
		}
		for library, folders := range only {
			if slices.ContainsFunc(p.Imports, func(i string) bool { return below(i, library) }) &&
				!slices.ContainsFunc(folders, func(f string) bool { return below(p.folder(), f) }) {
				t.Errorf("%s imports %s, which only %q may", p.folder(), library, folders)
			}
		}
	}
	for folder := range drawn {
		t.Errorf("arrows: there is no package %s", folder)
	}
}

// TestLintDrawsTheArrows: the linter knows the same rule.
func TestLintDrawsTheArrows(t *testing.T) {
	text, err := os.ReadFile(".golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arrows {
		if a.folder != "." && !strings.Contains(string(text), a.rule()) {
			t.Errorf(".golangci.yml lacks the rule of %s:\n%s", a.folder, a.rule())
		}
	}
}

// rule is the arrow as a rule of depguard.
func (a arrow) rule() string {
	var s strings.Builder
	s.WriteString("        " + a.folder + ":\n          files:\n            - \"**/" + a.folder + "/*.go\"\n            - \"!$test\"\n          list-mode: lax\n")
	if a.imports != "" {
		s.WriteString("          allow:\n")
	}
	for i := range strings.FieldsSeq(a.imports) {
		s.WriteString("            - " + modulePath + "/" + i + "$\n")
	}
	s.WriteString("          deny:\n            - pkg: " + modulePath + "\n              desc: see arrows in layers_test.go\n")
	return s.String()
}

// below reports whether path is root or lies below it.
func below(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}
