package gatehouse_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/gatehouse-auth/gatehouse"
)

var caddyfileBlock = regexp.MustCompile("(?s)```caddyfile\n(.*?)```")

// TestDocumentedCaddyfiles adapts every Caddyfile that the README and the docs show.
func TestDocumentedCaddyfiles(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range append(files, "README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range caddyfileBlock.FindAllSubmatch(text, -1) {
			found++
			adapter := caddyconfig.GetAdapter("caddyfile")
			_, warnings, err := adapter.Adapt(block[1], map[string]any{"filename": name})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, w := range warnings {
				t.Errorf("%s: warning: %s", name, w.Message)
			}
		}
	}
	if found < 2 {
		t.Errorf("found %d Caddyfiles", found)
	}
}

var (
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// TestDocumentedTestsExist holds the pages to the tests that they name.
func TestDocumentedTestsExist(t *testing.T) {
	there := make(map[string]bool)
	for _, dir := range []string{"handler", "handler/login", "handler/pages", "tokens", "tokens/jose", "tokens/boltstore", "tokens/redisstore", "caddymodule", "caddymodule/adminapi", "caddymodule/command"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range testFunc.FindAllSubmatch(text, -1) {
				there[string(f[1])] = true
			}
		}
	}
	for _, page := range []string{"docs/standards.md", "docs/refresh-tokens.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		named := testName.FindAllSubmatch(text, -1)
		if len(named) < 20 {
			t.Errorf("%s: found %d names of tests", page, len(named))
		}
		for _, n := range named {
			if !there[string(n[1])] {
				t.Errorf("%s names %s, which is no test", page, n[1])
			}
		}
	}
}
