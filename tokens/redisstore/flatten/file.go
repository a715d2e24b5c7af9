package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// file is a source in lua/: a decision, or a part that decisions are made of.
type file struct {
	name   string
	header []string
	pieces []piece // in their order
}

// piece is a function or a paragraph; the other one is nil.
type piece struct {
	function  *function
	paragraph *paragraph
}

// names are those that it declares at the left margin.
func (p piece) names() []string {
	if p.function != nil {
		return []string{p.function.name}
	}
	return p.paragraph.names
}

// paragraph is the lines between two empty ones, outside of functions.
type paragraph struct {
	names []string // that it declares
	lines []string
}

// function is a local function that stands at the left margin.
type function struct {
	name      string
	params    []string
	doc, body []string // the body without its indent
}

// library is what the parts declare.
type library struct {
	functions  map[string]*function
	paragraphs map[string]*paragraph // by each name that it declares
}

// part reports whether the file is a part: its first line says so.
func (f *file) part() bool { return strings.HasPrefix(f.header[0], "-- Part:") }

var (
	functionHead  = regexp.MustCompile(`^local function (\w+)\(([\w, ]*)\)$`)
	innerFunction = regexp.MustCompile(`\bfunction(| \w+)\(([\w, ]*)\)`)
	declaration   = regexp.MustCompile(`(?:\blocal|\bfor) ([A-Za-z_][\w, ]*?)(?: = | in | do\b|$)`)
)

// parse reads a source. It relies on the layout of these files: what is inside
// of something is indented by two spaces, and what is not is not.
func parse(name, text string) (*file, error) {
	f := &file{name: name}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for len(lines) > 0 && strings.HasPrefix(lines[0], "--") {
		f.header, lines = append(f.header, lines[0]), lines[1:]
	}
	if len(f.header) == 0 {
		return nil, fmt.Errorf("reading %s: it does not say at its head what it is", name)
	}
	var pending []string // lines of the paragraph that is being read
	finish := func() {
		if len(pending) > 0 {
			f.pieces = append(f.pieces, piece{paragraph: &paragraph{names: declared(pending, ""), lines: pending}})
		}
		pending = nil
	}
	for len(lines) > 0 {
		line := lines[0]
		lines = lines[1:]
		head := functionHead.FindStringSubmatch(line)
		switch {
		case line == "":
			finish()
		case head == nil:
			pending = append(pending, line)
		default:
			end := slices.Index(lines, "end")
			if end < 0 {
				return nil, fmt.Errorf("reading %s: function %s has no end at the left margin", name, head[1])
			}
			fn := &function{name: head[1], params: words(head[2]), doc: pending}
			for _, inner := range lines[:end] {
				fn.body = append(fn.body, strings.TrimPrefix(inner, "  "))
			}
			f.pieces, pending, lines = append(f.pieces, piece{function: fn}), nil, lines[end+1:]
		}
	}
	finish()
	return f, nil
}

// add takes up the functions and paragraphs of a part.
func (l *library) add(f *file) error {
	for _, p := range f.pieces {
		if p.function != nil {
			if l.functions[p.function.name] != nil {
				return fmt.Errorf("reading %s: there is a second function %s", f.name, p.function.name)
			}
			l.functions[p.function.name] = p.function
			continue
		}
		for _, name := range p.paragraph.names {
			if l.paragraphs[name] != nil {
				return fmt.Errorf("reading %s: %s is declared elsewhere, too", f.name, name)
			}
			l.paragraphs[name] = p.paragraph
		}
	}
	return nil
}

// locals returns what a function declares, its parameters included.
func (f *function) locals() []string {
	return append(slices.Clone(f.params), declared(f.body, "any")...)
}

// declared returns the names that lines declare: at the left margin, or at any indent.
func declared(lines []string, indent string) []string {
	var names []string
	for _, line := range lines {
		if indent == "" && !strings.HasPrefix(line, "local ") {
			continue
		}
		for _, found := range declaration.FindAllStringSubmatch(bare(line), -1) {
			names = append(names, words(found[1])...)
		}
		if inner := innerFunction.FindStringSubmatch(bare(line)); inner != nil {
			names = append(names, words(inner[1]+" "+inner[2])...)
		}
	}
	return names
}

// words splits a list of names.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

var (
	comment = regexp.MustCompile(`\s*--.*$`)
	quoted  = regexp.MustCompile(`'[^']*'`)
)

// bare is a line without its comment and what is quoted in it.
func bare(line string) string {
	return comment.ReplaceAllString(quoted.ReplaceAllString(line, "''"), "")
}

// indentOf returns the spaces that a line begins with.
func indentOf(line string) string {
	return line[:len(line)-len(strings.TrimLeft(line, " "))]
}

// mentions reports whether lines use a name, other than as that of a field.
func mentions(lines []string, name string) bool {
	use := regexp.MustCompile(`(?:^|[^\w.:])` + name + `(?:\W|$)`)
	return slices.ContainsFunc(lines, func(line string) bool { return use.MatchString(bare(line)) })
}
