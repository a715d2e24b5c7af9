package gatehouse_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/gatehouse-auth/gatehouse"
)

// TestReference: docs/reference.md is what the config structs say.
func TestReference(t *testing.T) {
	made, err := exec.CommandContext(t.Context(), "go", "run", "./.ci/reference").Output()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, kept) {
		t.Error("docs/reference.md is out of date: go run ./.ci/reference > docs/reference.md")
	}
	for _, want := range []string{"### client refresh_token", "* **`scope_any`**", "(JSON `redirect_uris`)"} {
		if got := bytes.Contains(made, []byte(want)); got == strings.HasPrefix(want, "(") {
			t.Errorf("%q is there: %v", want, got)
		}
	}
}

// TestDeployedCaddyfiles adapts those of examples/deploy, the one in kubernetes.yaml too.
func TestDeployedCaddyfiles(t *testing.T) {
	const folder = "examples/deploy/"
	plain, err := os.ReadFile(folder + "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := os.ReadFile(folder + "kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, inConfigMap, found := strings.Cut(string(manifests), "  Caddyfile: |\n")
	inConfigMap, _, _ = strings.Cut(inConfigMap, "---\n")
	if !found {
		t.Fatal("kubernetes.yaml holds no Caddyfile")
	}
	for name, text := range map[string]string{"Caddyfile": string(plain), "kubernetes.yaml": regexp.MustCompile("(?m)^    ").ReplaceAllString(inConfigMap, "")} {
		_, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": folder + name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, w := range warnings {
			t.Errorf("%s: warning: %s", name, w.Message)
		}
	}
}

var (
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// TestDocumentedTestsExist holds the pages to the tests that they name.
func TestDocumentedTestsExist(t *testing.T) {
	there := make(map[string]bool)
	for _, dir := range []string{".", "handler", "tokens", "caddymodule", "e2e/nodes"} {
		err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := os.ReadFile(name)
			for _, f := range testFunc.FindAllSubmatch(text, -1) {
				there[string(f[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range []string{"docs/development/standards.md", "docs/development/refresh-tokens.md", "docs/development/testing.md", "docs/development/threats.md"} {
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

var (
	quoted = regexp.MustCompile("`([^`]+)`")
	// sourceName is a file or folder, as pages name them.
	sourceName = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)*(\.go|\.mjs|\.lua|\.html|\.md|/)$|^(bench|caddymodule|docs|e2e|examples|handler|tokens)/[\w./-]+$`)
)

// TestDocumentedPathsExist holds the pages to the files and folders that they name. A
// name without a folder lies in that of the file named before it in the same cell.
func TestDocumentedPathsExist(t *testing.T) {
	for page, text := range documentation(t) {
		named := namedPaths(text)
		for _, name := range named {
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
		if page == "docs/development/standards.md" && len(named) < 50 {
			t.Errorf("%s: found %d paths", page, len(named))
		}
	}
}

// namedPaths returns the files and folders that a page names between backticks.
func namedPaths(page string) []string {
	var paths []string
	for cell := range strings.FieldsFuncSeq(page, func(r rune) bool { return r == '|' || r == '\n' }) {
		folder := ""
		for _, q := range quoted.FindAllStringSubmatch(cell, -1) {
			name := q[1]
			switch {
			case !sourceName.MatchString(name):
				continue
			case strings.Contains(name, "/"):
				folder = filepath.Dir(name)
			default:
				name = filepath.Join(folder, name)
			}
			paths = append(paths, name)
		}
	}
	return paths
}

// TestO6BesideOthers: row O6: README says of each of the others what it is, by its own pages,
// and when it is the better choice.
func TestO6BesideOthers(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Compared with others\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, other := range []string{"caddy-security", "caddy-oidc", "Pocket ID", "Authelia", "Dex", "Ory Hydra", "Keycloak", "Pomerium", "oauth2-proxy"} {
		_, row, found := strings.Cut(section, "\n| ["+other+"](https://")
		row, _, _ = strings.Cut(row, "\n")
		cells := strings.Split(strings.TrimSuffix(row, " |"), " | ")
		if !found || len(cells) != 4 || slices.Contains(cells, "") {
			t.Errorf("%s: no row with a link, what it is, its tokens and when to take it: %q", other, cells)
		}
	}
	if !strings.Contains(section, "OpenID provider") {
		t.Error("caddy-security is an OpenID provider since 1.2.1")
	}
}
