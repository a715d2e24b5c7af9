package gatehouse_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// outsideOfCaddy are folders whose goroutines do not run inside of Caddy: tests,
// tools and examples, where a panic may end the process.
var outsideOfCaddy = []string{".cache", ".ci", ".git", "bench", "e2e", "examples", "tokens/background", "tokens/storetest", "tokens/redisstore/redistest", "tokens/tokenstest"}

// startedUnsafely are the places where something runs that no request waits for,
// without tokens/background, each with the reason.
var startedUnsafely = map[string]string{}

// R12: a panic in a goroutine, a timer or a shared call of ours ended Caddy. Each
// must begin in tokens/background, which recovers it: this test reads the source,
// so that a new one without fails. What Caddy, go-redis, bbolt and ristretto start
// is theirs, but for the functions that we hand them.
func TestEveryGoroutineRecovers(t *testing.T) {
	used := make(map[string]bool)
	found := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (slices.Contains(outsideOfCaddy, path) || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		unsafe, safe := startsOf(file)
		found += len(safe)
		for _, n := range unsafe {
			at := set.Position(n.Pos())
			if startedUnsafely[path] != "" {
				used[path] = true
				continue
			}
			t.Errorf("%s: a panic here would end Caddy: begin it with background.Keep, background.Safely, background.Shared or background.Callback", at)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 15 {
		t.Errorf("found %d places where something runs in the background: the test looks in the wrong place", found)
	}
	for path := range startedUnsafely {
		if !used[path] {
			t.Errorf("%s needs no exception any more", path)
		}
	}
}

// startsOf finds what a file starts: goroutines, timers, shared calls, and
// functions that libraries call from goroutines of theirs.
func startsOf(file *ast.File) (unsafe, safe []ast.Node) {
	sort := func(n ast.Node, ok bool) {
		if ok {
			safe = append(safe, n)
		} else {
			unsafe = append(unsafe, n)
		}
	}
	shares := importsPackage(file, "golang.org/x/sync/singleflight")
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			sort(n, inBackground(n.Call) || inBackground(n.Call.Fun))
		case *ast.CallExpr:
			if i := runLater(n, shares); i >= 0 {
				sort(n, i < len(n.Args) && inBackground(n.Args[i]))
			}
		case *ast.KeyValueExpr: // ristretto calls these from its own goroutine
			if key, ok := n.Key.(*ast.Ident); ok && slices.Contains([]string{"OnEvict", "OnReject", "OnExit", "Cost", "ShouldUpdate"}, key.Name) &&
				importsPackage(file, "github.com/dgraph-io/ristretto/v2") {
				sort(n, inBackground(n.Value))
			}
		}
		return true
	})
	return unsafe, safe
}

// runLater returns which argument of a call runs where no request waits for it,
// or -1. sync.WaitGroup and errgroup.Group have Go, singleflight.Group has Do and
// DoChan, time and context have AfterFunc, runtime has AddCleanup and SetFinalizer.
func runLater(call *ast.CallExpr, shares bool) int {
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return -1
	}
	switch s.Sel.Name {
	case "Go", "TryGo":
		return 0
	case "AfterFunc", "DoChan", "AddCleanup", "SetFinalizer":
		return 1
	case "Do":
		if shares && len(call.Args) == 2 {
			return 1
		}
	}
	return -1
}

// inBackground reports whether an expression is a call of tokens/background.
func inBackground(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "background"
}

func importsPackage(file *ast.File, path string) bool {
	return slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return strings.Trim(i.Path.Value, `"`) == path })
}

// The test above sees what it is meant to see.
func TestEveryGoroutineRecoversSees(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		unsafe     int
		safe       int
	}{
		{"a goroutine", `go work()`, 1, 0},
		{"a goroutine with a function", `go func() { defer func() { _ = recover() }(); work() }()`, 1, 0},
		{"a safe goroutine", `go background.Safely(report, work)()`, 0, 1},
		{"a loop", `go background.Keep(ctx, report, work)`, 0, 1},
		{"a wait group", `var wg sync.WaitGroup; wg.Go(work)`, 1, 0},
		{"a safe wait group", `wg.Go(background.Safely(report, work))`, 0, 1},
		{"a timer", `time.AfterFunc(time.Second, work)`, 1, 0},
		{"a context", `context.AfterFunc(ctx, work)`, 1, 0},
		{"a shared call", `group.Do("key", work)`, 1, 0},
		{"a shared call to wait for", `group.DoChan("key", background.Shared(report, work))`, 0, 1},
		{"a callback", `_ = ristretto.Config[string, int]{OnEvict: work}`, 1, 0},
		{"once", `var once sync.Once; once.Do(work)`, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source := "package p\nimport (\n\"golang.org/x/sync/singleflight\"\n\"github.com/dgraph-io/ristretto/v2\"\n)\nfunc f() { " + tt.body + " }\n"
			file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if unsafe, safe := startsOf(file); len(unsafe) != tt.unsafe || len(safe) != tt.safe {
				t.Errorf("%d unsafe and %d safe, want %d and %d", len(unsafe), len(safe), tt.unsafe, tt.safe)
			}
		})
	}
}
