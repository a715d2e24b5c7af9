package gatehouse_test

import (
	"encoding/json"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// usualCircle is how many files of one package may name each other in a circle.
const usualCircle = 8

// TestCircles holds every package to files that can be read one after another:
// few of them name each other in a circle.
func TestCircles(t *testing.T) {
	for _, p := range typedPackages(t) {
		if circle := p.largestCircle(); len(circle) > usualCircle {
			t.Errorf("%s: %d files name each other in a circle, at most %d may: %s",
				strings.TrimPrefix(p.path, modulePath+"/"), len(circle), usualCircle, strings.Join(circle, " "))
		}
	}
}

// typedPackage is a package without its tests, and what its names mean.
type typedPackage struct {
	path  string
	fset  *token.FileSet
	files []*ast.File
	pkg   *types.Package
	uses  map[*ast.Ident]types.Object
}

// typedPackages reads all packages of the module.
func typedPackages(t *testing.T) []typedPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles,Module", "./...").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	type listed struct {
		ImportPath, Export, Dir string
		GoFiles                 []string
		Module                  *struct{ Main bool }
	}
	exports := make(map[string]string)
	var own []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if p.Module != nil && p.Module.Main {
			own = append(own, p)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var all []typedPackage
	for _, l := range own {
		p := typedPackage{path: l.ImportPath, fset: fset, uses: make(map[*ast.Ident]types.Object)}
		for _, name := range l.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			p.files = append(p.files, f)
		}
		cfg := types.Config{Importer: imports}
		if p.pkg, err = cfg.Check(l.ImportPath, fset, p.files, &types.Info{Uses: p.uses}); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// names returns which files each file names: where the types, functions, values,
// methods and fields stand that it uses.
func (p typedPackage) names() map[string][]string {
	names := make(map[string][]string)
	for _, f := range p.files {
		from := p.fileOf(f.FileStart)
		for n := range ast.Preorder(f) {
			id, ok := n.(*ast.Ident)
			if !ok {
				continue
			}
			o := p.uses[id]
			if o == nil || o.Pkg() != p.pkg || !p.standsAlone(o) {
				continue
			}
			if to := p.fileOf(o.Pos()); to != from && !slices.Contains(names[from], to) {
				names[from] = append(names[from], to)
			}
		}
	}
	return names
}

// standsAlone reports whether an object is declared by a package, or by a type of one.
func (p typedPackage) standsAlone(o types.Object) bool {
	if v, ok := o.(*types.Var); ok && v.IsField() {
		return true
	}
	if f, ok := o.(*types.Func); ok && f.Signature().Recv() != nil {
		return true
	}
	return o.Parent() == p.pkg.Scope()
}

func (p typedPackage) fileOf(pos token.Pos) string {
	return filepath.Base(p.fset.Position(pos).Filename)
}

// largestCircle returns the most files of which each is reached from each other.
func (p typedPackage) largestCircle() []string {
	names := p.names()
	reached := make(map[string]map[string]bool)
	for from := range names {
		reached[from] = make(map[string]bool)
		for todo := []string{from}; len(todo) > 0; {
			last := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, to := range names[last] {
				if !reached[from][to] {
					reached[from][to] = true
					todo = append(todo, to)
				}
			}
		}
	}
	var largest []string
	for from := range reached {
		var circle []string
		for to := range reached[from] {
			if reached[to][from] {
				circle = append(circle, to)
			}
		}
		if len(circle) > len(largest) {
			slices.Sort(circle)
			largest = circle
		}
	}
	return largest
}
