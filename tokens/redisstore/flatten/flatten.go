package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// most is how many lines a function may grow to and yet be put in the place of
// each of several calls; a longer one stays a function.
const most = 24

// flattened returns the script of a decision.
//
// Redis makes each function of a script anew, each time it runs it, and most calls
// of a script go through few of them. So a call that is a statement of its own
//
//	local f = read_family(v)
//
// is replaced by the body of the function, between do and end, where a return
// becomes an assignment to f. A function stays one where that is not possible, and
// where its body would stand at several places and is long: if its call is part of an
// expression, or if it returns out of a loop. Of the parts, only what is used is taken.
func flattened(l *library, d *file) (string, error) {
	f := &flattener{
		library: l, own: make(map[string]*function), kept: make(map[string]bool), told: make(map[string]bool),
		defined: make(map[string]bool), seen: make(map[*paragraph]bool),
	}
	for _, p := range d.pieces {
		if p.function != nil {
			f.own[p.function.name] = p.function
		}
	}
	if err := f.check(d); err != nil {
		return "", err
	}
	f.keep(d)
	var body []string
	for _, p := range d.pieces {
		switch {
		case p.paragraph != nil:
			body = append(body, f.expand(p.paragraph.lines, "", nil)...)
		case f.kept[p.function.name]:
			body = append(body, f.define(p.function)...)
		default:
			continue
		}
		body = append(body, "")
	}
	f.take(body)
	text := append([]string{"-- Code generated from lua/" + d.name + " by flatten; DO NOT EDIT.", "--"}, d.header...)
	text = append(append(text, ""), append(f.taken, body...)...)
	return strings.TrimRight(strings.Join(text, "\n"), "\n") + "\n", nil
}

// flattener is at work on one decision.
type flattener struct {
	library *library
	own     map[string]*function // of the decision itself
	kept    map[string]bool      // functions that stay functions
	told    map[string]bool      // functions whose comment stands already
	taken   []string             // lines of what the script uses of the library
	defined map[string]bool      // functions that stand there
	seen    map[*paragraph]bool  // that stand there
}

// function finds one by its name; nil for anything else.
func (f *flattener) function(name string) *function {
	if own := f.own[name]; own != nil {
		return own
	}
	return f.library.functions[name]
}

func (f *flattener) known(name string) bool { return f.function(name) != nil }

// check holds the names apart, so that the body of a function means the same
// wherever it is put: nothing has the name of what a part declares, and nothing within
// a decision's functions and blocks that of what stands at its left margin.
func (f *flattener) check(d *file) error {
	ofParts := func(name string) bool { return f.library.paragraphs[name] != nil || f.library.functions[name] != nil }
	for _, fn := range f.library.functions {
		if err := distinct(fn.locals(), ofParts, "function "+fn.name); err != nil {
			return err
		}
	}
	var margin []string
	for _, p := range d.pieces {
		margin = append(margin, p.names()...)
	}
	if err := distinct(margin, ofParts, "the decision"); err != nil {
		return err
	}
	taken := func(name string) bool { return ofParts(name) || slices.Contains(margin, name) }
	for _, p := range d.pieces {
		var (
			within []string
			where  = "a block"
		)
		if p.function != nil {
			within, where = p.function.locals(), "function "+p.function.name
		} else {
			within = declared(slices.DeleteFunc(slices.Clone(p.paragraph.lines), func(line string) bool { return strings.HasPrefix(line, "local ") }), "any")
		}
		if err := distinct(within, taken, where); err != nil {
			return err
		}
	}
	return nil
}

// distinct returns an error for a name that is taken.
func distinct(names []string, taken func(name string) bool, where string) error {
	for _, name := range names {
		if taken(name) {
			return fmt.Errorf("declaring %s in %s: it hides something of that name, so choose another one", name, where)
		}
	}
	return nil
}

// keep finds out which functions stay functions.
func (f *flattener) keep(d *file) {
	sites, reached := make(map[string]int), make(map[string]bool)
	var walk func(lines []string)
	reach := func(name string) {
		if !reached[name] {
			reached[name] = true
			walk(f.function(name).body)
		}
	}
	walk = func(lines []string) {
		eachStatement(lines, func(_ int, line string, inner bool) {
			text := strings.TrimSpace(line)
			c := readCall(text, f.known)
			if c != nil && !inner {
				sites[c.name]++
				reach(c.name)
				text = c.condition + " " + c.args
			}
			for _, name := range f.names() {
				if mentions([]string{text}, name) {
					f.kept[name] = true
					reach(name)
				}
			}
		})
	}
	for _, p := range d.pieces {
		if p.paragraph != nil {
			walk(p.paragraph.lines)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(reached)) {
		if f.function(name).exits().inLoop || sites[name] > 1 && f.size(name) > most {
			f.kept[name] = true
		}
	}
}

// names are those of all functions.
func (f *flattener) names() []string {
	return append(slices.Sorted(maps.Keys(f.own)), slices.Sorted(maps.Keys(f.library.functions))...)
}

// size is how many lines a function grows to.
func (f *flattener) size(name string) int {
	n := 0
	for _, line := range f.function(name).body {
		n++
		if c := readCall(strings.TrimSpace(line), f.known); c != nil {
			n += f.size(c.name)
		}
	}
	return n
}

// define writes a function that stays one.
func (f *flattener) define(fn *function) []string {
	lines := append(slices.Clone(fn.doc), "local function "+fn.name+"("+strings.Join(fn.params, ", ")+")")
	return append(append(lines, f.expand(fn.body, "  ", nil)...), "end")
}

// take adds what lines use of the library, and before it what that uses.
func (f *flattener) take(lines []string) {
	add := func(lines []string) {
		f.take(lines)
		f.taken = append(append(f.taken, lines...), "")
	}
	for _, name := range slices.Sorted(maps.Keys(f.library.paragraphs)) {
		if p := f.library.paragraphs[name]; !f.seen[p] && mentions(lines, name) {
			f.seen[p] = true
			add(p.lines)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.library.functions)) {
		if f.kept[name] && !f.defined[name] && f.own[name] == nil && mentions(lines, name) {
			f.defined[name] = true
			add(f.define(f.library.functions[name]))
		}
	}
}
