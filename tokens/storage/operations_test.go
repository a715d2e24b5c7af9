package storage_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestOperations holds the list to what the stores measure: each call of what takes an `op`, or
// hears of a call that has ended.
func TestOperations(t *testing.T) {
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, dir := range []string{"boltstore", "redisstore"} {
		paths, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(paths) < 10 {
			t.Fatalf("%s has %d files, %v", dir, len(paths), err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, file)
		}
	}
	takes := map[string]bool{"OnCall": true, "onCall": true}
	each(parsed, func(f *ast.FuncDecl) {
		for _, p := range f.Type.Params.List {
			if len(p.Names) > 0 && p.Names[0].Name == "op" {
				takes[f.Name.Name] = true
			}
		}
	})
	used := make(map[string]bool)
	each(parsed, func(c *ast.CallExpr) {
		if !takes[called(c.Fun)] {
			return
		}
		for _, arg := range c.Args {
			if text, ok := arg.(*ast.BasicLit); ok && text.Kind == token.STRING {
				op, _ := strconv.Unquote(text.Value)
				used[op] = true
				return
			}
		}
	})
	for op := range used {
		if !slices.Contains(storage.Operations, op) {
			t.Errorf("%q is an operation that Operations lacks", op)
		}
	}
	for _, op := range storage.Operations {
		if !used[op] {
			t.Errorf("%q is in Operations, and no store has it", op)
		}
	}
}

// each calls visit with every node of a kind.
func each[N ast.Node](files []*ast.File, visit func(N)) {
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if found, ok := n.(N); ok {
				visit(found)
			}
			return true
		})
	}
}

// called returns the name of the function that is called.
func called(fun ast.Expr) string {
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.IndexExpr:
		return called(f.X)
	}
	return ""
}
