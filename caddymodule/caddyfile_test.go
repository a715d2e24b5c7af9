package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

var update = flag.Bool("update", false, "rewrite the expectations of testdata/oauth_*.caddyfiletest; never turns an error into JSON or back")

const (
	goldenHalves = "\n----------\n"
	goldenCases  = "\n==========\n"
)

// goldenCase is a Caddyfile and what it adapts to: JSON, or an error. A file
// holds one or more; the first line of a Caddyfile, a comment, names its case.
type goldenCase struct {
	name, caddyfile, want string
}

func (c goldenCase) wantsJSON() bool { return strings.HasPrefix(c.want, "{") }

func readGolden(t testing.TB, path string) []goldenCase {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	for text := range strings.SplitSeq(string(data), goldenCases) {
		input, want, ok := strings.Cut(text, goldenHalves)
		if !ok {
			t.Fatalf("%s: a case has no line of dashes between Caddyfile and expectation:\n%s", path, text)
		}
		first, _, _ := strings.Cut(input, "\n")
		cases = append(cases, goldenCase{strings.TrimLeft(first, "# "), input, strings.TrimSpace(want)})
	}
	return cases
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("finding golden files: %v, %d files", err, len(files))
	}
	return files
}

// TestAdapt adapts every golden Caddyfile.
func TestAdapt(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_UNSET", "")
	for _, path := range goldenFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".caddyfiletest"), func(t *testing.T) {
			cases := readGolden(t, path)
			for i := range cases {
				t.Run(cases[i].name, func(t *testing.T) { cases[i].want = checkGolden(t, cases[i]) })
			}
			if *update {
				writeGolden(t, path, cases)
			}
		})
	}
}

// checkGolden adapts a case and compares the outcome, which it returns.
func checkGolden(t *testing.T, c goldenCase) string {
	t.Helper()
	got := adapt(t, c.caddyfile)
	if strings.HasPrefix(got, "{") != c.wantsJSON() && c.want != "" {
		t.Errorf("got\n%s\nwant\n%s", got, c.want)
		return c.want
	}
	if got != c.want && !*update {
		t.Errorf("got\n%s\nwant\n%s", got, c.want)
	}
	return got
}

func adapt(t *testing.T, input string) string {
	t.Helper()
	result, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input+"\n"), nil)
	if err != nil {
		return err.Error()
	}
	for _, w := range warnings {
		t.Errorf("warning: %s:%d: %s", w.File, w.Line, w.Message)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, result, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return pretty.String()
}

func writeGolden(t *testing.T, path string, cases []goldenCase) {
	t.Helper()
	texts := make([]string, len(cases))
	for i, c := range cases {
		texts[i] = c.caddyfile + goldenHalves + c.want
	}
	if err := os.WriteFile(path, []byte(strings.Join(texts, goldenCases)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAdaptedLoads reads what the Caddyfiles adapt to as strictly as Caddy
// does: every field has to be known to the app, and to pass the same checks.
func TestAdaptedLoads(t *testing.T) {
	for _, path := range goldenFiles(t) {
		for _, c := range readGolden(t, path) {
			if !c.wantsJSON() {
				continue
			}
			t.Run(filepath.Base(path)+"/"+c.name, func(t *testing.T) {
				var cfg struct {
					Apps struct {
						OAuth json.RawMessage `json:"oauth"`
					} `json:"apps"`
				}
				if err := json.Unmarshal([]byte(c.want), &cfg); err != nil {
					t.Fatal(err)
				}
				if cfg.Apps.OAuth == nil {
					t.Skip("the Caddyfile has no oauth block")
				}
				var a App
				if err := caddy.StrictUnmarshalJSON(cfg.Apps.OAuth, &a); err != nil {
					t.Fatalf("reading adapted JSON: %v", err)
				}
				if err := a.Check(); err != nil {
					t.Errorf("checking adapted JSON: %v", err)
				}
			})
		}
	}
}

// TestErrorsNameTheirLine makes sure that every error points somewhere.
func TestErrorsNameTheirLine(t *testing.T) {
	line := regexp.MustCompile(`at Caddyfile:\d+$|^Caddyfile:\d+: `)
	for _, path := range goldenFiles(t) {
		for _, c := range readGolden(t, path) {
			if !c.wantsJSON() && !line.MatchString(c.want) {
				t.Errorf("%s: %s: the error has no line: %s", path, c.name, c.want)
			}
		}
	}
}

// FuzzUnmarshalCaddyfile feeds the grammar with broken Caddyfiles: it may refuse
// them, and must not panic.
func FuzzUnmarshalCaddyfile(f *testing.F) {
	for _, path := range goldenFiles(f) {
		for _, c := range readGolden(f, path) {
			f.Add([]byte(c.caddyfile))
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		blocks, err := caddyfile.Parse("Caddyfile", input)
		if err != nil {
			return
		}
		for _, block := range blocks {
			for _, segment := range block.Segments {
				if segment.Directive() == "oauth" {
					_, _ = parseOAuth(caddyfile.NewDispenser(segment), nil)
				}
			}
		}
	})
}
