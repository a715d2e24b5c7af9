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
