package gatehouse_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documentation is the text of every page, by its path.
func documentation(t *testing.T) map[string]string {
	t.Helper()
	names := []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	err := filepath.WalkDir("docs", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages := make(map[string]string)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = string(text)
	}
	return pages
}

var fence = regexp.MustCompile("(?ms)^( *)```([a-z]*)\n(.*?)^ *```$")

// snippets are the blocks of a page in a language, "" for all.
func snippets(page, language string) (found []string) {
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		if m[2] == language {
			found = append(found, m[3])
		}
	}
	return found
}

var (
	inline  = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the places of a page that a link can name, as GitHub makes them of headings.
func anchors(page string) map[string]bool {
	places := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		text := link.ReplaceAllString(strings.ReplaceAll(m[1], "[", ""), "")
		slug := strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
		places[slug] = true
	}
	return places
}

// TestLinksOfThePages: each link leads to a page and a heading that exist, and the two lists of
// pages lead to each.
func TestLinksOfThePages(t *testing.T) {
	pages := documentation(t)
	linked := make(map[string]bool)
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(inline.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
			if strings.Contains(m[1], ":") {
				continue
			}
			file, place, _ := strings.Cut(m[1], "#")
			to := name
			if file != "" {
				to = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
				continue
			}
			if place != "" && !anchors(pages[to])[place] {
				t.Errorf("%s links to %s, which is no heading there", name, m[1])
			}
			if filepath.Base(name) == "README.md" {
				linked[to] = true
			}
		}
	}
	for name := range pages {
		if !linked[name] && name != "README.md" {
			t.Errorf("no list of pages leads to %s", name)
		}
	}
}

// aboutDevelopment matches what belongs into docs/development: names of tests.
var aboutDevelopment = regexp.MustCompile("`(Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*`")

// TestPagesAreForOperators: pages name no tests, and other pages by a link.
func TestPagesAreForOperators(t *testing.T) {
	for name, text := range documentation(t) {
		if strings.HasPrefix(name, "docs/development/") {
			continue
		}
		if found := aboutDevelopment.FindString(text); found != "" {
			t.Errorf("%s names %s: that belongs into docs/development", name, found)
		}
		if found := regexp.MustCompile("`docs/[a-z/-]+\\.md`").FindString(text); found != "" {
			t.Errorf("%s names %s: make it a link", name, found)
		}
	}
}

// TestDocumentedSnippets parses what the pages show in other languages than the Caddyfile's.
func TestDocumentedSnippets(t *testing.T) {
	parse := map[string]func(t *testing.T, snippet string) error{
		"json": func(_ *testing.T, snippet string) error { return json.Unmarshal([]byte(snippet), new(any)) },
		"go": func(_ *testing.T, snippet string) error {
			_, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc _() {\n"+snippet+"\n}", 0)
			return err
		},
		"sh": func(t *testing.T, snippet string) error {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), "bash", "-n")
			cmd.Stdin = strings.NewReader(snippet)
			return cmd.Run()
		},
	}
	// Others are parsed, or run, where their language is: docs/development/testing.md says by what.
	elsewhere := []string{"caddyfile", "js", "python", "java", "rust", "ini", "nginx", "text", "yaml"}
	found := make(map[string]int)
	for name, text := range documentation(t) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			language, snippet := m[2], m[3]
			found[language]++
			if p := parse[language]; p != nil {
				if err := p(t, snippet); err != nil {
					t.Errorf("%s: %v in\n%s", name, err, snippet)
				}
			} else if !slices.Contains(elsewhere, language) {
				t.Errorf("%s: a snippet in %q, of which nothing is checked:\n%s", name, language, snippet)
			}
		}
	}
	for language := range parse {
		if found[language] == 0 {
			t.Errorf("there is no snippet in %s", language)
		}
	}
}
