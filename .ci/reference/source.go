package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"strconv"
	"strings"
)

// source is what the page needs of the configuration's packages.
type source struct {
	structs map[string]*structure
	syntax  map[string]string            // type: its Caddyfile syntax, from UnmarshalCaddyfile's comment
	modules map[string]string            // type: its module id
	options map[string]map[string]string // type: field: the word of the Caddyfile that sets it
	bodies  map[string]*ast.FuncDecl     // type.method
}

// structure is a config struct.
type structure struct {
	doc    string
	fields []field
}

// field is one of its fields; of an embedded struct name is its type and json "".
type field struct {
	name, json, doc, typ string
}

func read(folders ...string) (*source, error) {
	s := &source{
		structs: make(map[string]*structure), syntax: make(map[string]string), modules: make(map[string]string),
		options: make(map[string]map[string]string), bodies: make(map[string]*ast.FuncDecl),
	}
	var files []*ast.File
	for _, folder := range folders {
		packages, err := parser.ParseDir(token.NewFileSet(), folder, func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, parser.ParseComments) //nolint:staticcheck // no build tags here
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			for _, f := range p.Files {
				files = append(files, f)
			}
		}
	}
	for _, f := range files {
		s.declarations(f)
	}
	for _, f := range files {
		s.words(f)
	}
	return s, nil
}

// declarations notes the structs and the methods of a file.
func (s *source) declarations(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				t, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				if st, ok := t.Type.(*ast.StructType); ok && t.Name.IsExported() {
					s.structs[t.Name.Name] = structureOf(st, d.Doc.Text())
				}
			}
		case *ast.FuncDecl:
			owner := receiver(d)
			if owner == "" {
				continue
			}
			s.bodies[owner+"."+d.Name.Name] = d
			switch d.Name.Name {
			case "UnmarshalCaddyfile":
				s.syntax[owner] = indented(d.Doc.Text())
			case "CaddyModule":
				ast.Inspect(d, func(n ast.Node) bool {
					if kv, ok := n.(*ast.KeyValueExpr); ok && nameOf(kv.Key) == "ID" {
						s.modules[owner] = text(kv.Value)
					}
					return true
				})
			}
		}
	}
}

func structureOf(st *ast.StructType, doc string) *structure {
	out := &structure{doc: doc}
	for _, f := range st.Fields.List {
		if len(f.Names) == 0 {
			out.fields = append(out.fields, field{name: typeName(f.Type), typ: typeName(f.Type)})
			continue
		}
		if f.Tag == nil || !f.Names[0].IsExported() {
			continue
		}
		tag, _ := strconv.Unquote(f.Tag.Value)
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		out.fields = append(out.fields, field{name: f.Names[0].Name, json: name, doc: f.Doc.Text(), typ: typeName(f.Type)})
	}
	return out
}

// words notes which word of the Caddyfile sets which field: the entries of each
// grammar.Options, such as "consent": grammar.String(&c.Consent).
func (s *source) words(f *ast.File) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		known := s.variables(fn)
		ast.Inspect(fn, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || !strings.HasSuffix(typeName(lit.Type), "Options") {
				return true
			}
			for _, e := range lit.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					s.sets(known, text(kv.Key), kv.Value)
				}
			}
			return true
		})
	}
}

// variables are those of a function that hold a config struct, with its type: the
// receiver, and what it makes by &T{…} or new(T).
func (s *source) variables(fn *ast.FuncDecl) map[string]string {
	known := map[string]string{}
	if owner := receiver(fn); owner != "" {
		known[self(fn)] = owner
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || a.Tok != token.DEFINE || len(a.Lhs) != 1 {
			return true
		}
		switch made := a.Rhs[0].(type) {
		case *ast.UnaryExpr:
			if lit, ok := made.X.(*ast.CompositeLit); ok {
				known[nameOf(a.Lhs[0])] = typeName(lit.Type)
			}
		case *ast.CallExpr:
			if nameOf(made.Fun) == "new" {
				known[nameOf(a.Lhs[0])] = typeName(made.Args[0])
			}
		}
		return true
	})
	return known
}

// sets notes the fields that an option sets: those that it names, else those that the
// method it calls assigns.
func (s *source) sets(known map[string]string, word string, value ast.Node) {
	ast.Inspect(value, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || known[nameOf(sel.X)] == "" {
			return true
		}
		owner := known[nameOf(sel.X)]
		if method, ok := s.bodies[owner+"."+sel.Sel.Name]; ok {
			for _, name := range assigned(method) {
				s.note(owner, name, word)
			}
			return true
		}
		s.note(owner, sel.Sel.Name, word)
		return true
	})
}

func (s *source) note(owner, field, word string) {
	if s.options[owner] == nil {
		s.options[owner] = make(map[string]string)
	}
	if s.options[owner][field] == "" {
		s.options[owner][field] = word
	}
}

// assigned are the fields of its receiver that a method assigns, or hands on by address.
func assigned(method *ast.FuncDecl) (names []string) {
	own := self(method)
	take := func(e ast.Expr) {
		for {
			sel, ok := e.(*ast.SelectorExpr)
			if !ok {
				return
			}
			if nameOf(sel.X) == own {
				names = append(names, sel.Sel.Name)
			}
			e = sel.X
		}
	}
	ast.Inspect(method, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				take(e)
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				take(n.X)
			}
		}
		return true
	})
	return names
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	return typeName(d.Recv.List[0].Type)
}

// self is how a method calls its receiver.
func self(d *ast.FuncDecl) string {
	if len(d.Recv.List[0].Names) == 0 {
		return "_"
	}
	return d.Recv.List[0].Names[0].Name
}

func nameOf(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// typeName is the name of a type without pointers, lists and packages.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func text(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok {
		if s, err := strconv.Unquote(lit.Value); err == nil {
			return s
		}
	}
	return ""
}

// indented are the lines of a comment that are code.
func indented(comment string) string {
	var out []string
	for line := range strings.Lines(comment) {
		if code, ok := strings.CutPrefix(line, "\t"); ok {
			out = append(out, strings.TrimRight(code, "\n"))
		} else if strings.TrimSpace(line) == "" && len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, "")
		}
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}
