package main

import (
	"slices"
	"strings"
)

// result is where what a function returns goes to when its body stands in the
// place of a call; nil in a function or script that really returns.
type result struct {
	targets []string
	last    int  // index of the line whose return need not leave the block; -1 for none
	early   bool // a return elsewhere leaves the block
}

// expand returns lines with the calls in them replaced, at an indent.
func (f *flattener) expand(lines []string, indent string, to *result) []string {
	var out []string
	eachStatement(lines, func(i int, line string, inner bool) {
		at, text := indent+indentOf(line), strings.TrimSpace(line)
		switch c := readCall(text, f.known); {
		case text == "":
			out = append(out, "")
		case inner:
			out = append(out, at+text)
		case c != nil && !f.kept[c.name]:
			out = append(out, f.expandCall(c, at, to, i)...)
		default:
			out = append(out, to.returning(at, text, i)...)
		}
	})
	return out
}

// expandCall replaces one statement.
func (f *flattener) expandCall(c *call, at string, to *result, i int) []string {
	var out []string
	outer := at
	if c.condition != "" {
		out, at = append(out, at+"if "+c.condition+" then"), at+"  "
	}
	switch {
	case !c.returned:
		out = append(out, f.inline(c, at)...)
	case to == nil:
		c.targets, c.declares = []string{"answer"}, true
		out = append(append(out, f.inline(c, at)...), at+"return answer")
	default:
		c.targets = to.targets
		out = append(out, f.inline(c, at)...)
		if to.early && i != to.last {
			out = append(out, at+"break")
		}
	}
	if c.condition != "" {
		out = append(out, outer+"end")
	}
	return out
}

// inline returns the body of a function in the place of its call.
func (f *flattener) inline(c *call, at string) []string {
	fn := f.function(c.name)
	e := fn.exits()
	var out, behind []string
	if !f.told[fn.name] {
		f.told[fn.name] = true
		for _, line := range fn.doc {
			out = append(out, at+line)
		}
	}
	to := &result{targets: c.targets, last: fn.lastReturn(), early: e.early}
	if f.collides(c, fn) {
		to.targets = nil
		for i := range c.targets {
			to.targets = append(to.targets, strings.Repeat("_", i)+fn.name+"_result")
		}
		local := ""
		if c.declares {
			local = "local "
		}
		behind = []string{at + local + strings.Join(c.targets, ", ") + " = " + strings.Join(to.targets, ", ")}
	}
	open, shut := "do", "end"
	if e.early {
		open, shut = "repeat", "until true"
	}
	if len(to.targets) > 0 && (c.declares || behind != nil) {
		open = "local " + strings.Join(to.targets, ", ") + " " + open
	}
	out = append(out, at+open+" -- "+fn.name+"("+c.args+")"+note(c))
	out = append(out, f.parameters(c, fn, at+"  ")...)
	out = append(out, f.expand(fn.body, at+"  ", to)...)
	if to.last < 0 && len(to.targets) > 0 && !c.declares {
		out = append(out, at+"  "+strings.Join(to.targets, ", ")+" = nil")
	}
	return append(append(out, at+shut), behind...)
}

func note(c *call) string {
	if c.note == "" {
		return ""
	}
	return ", " + strings.TrimPrefix(c.note, "-- ")
}

// collides reports whether the targets of a call mean something else within the
// function, or in what is passed to it.
func (f *flattener) collides(c *call, fn *function) bool {
	return slices.ContainsFunc(c.targets, func(target string) bool {
		root, _, _ := strings.Cut(target, ".")
		return slices.Contains(fn.locals(), root) || c.declares && mentions([]string{c.args}, root)
	})
}

// parameters declares those that do not have the name of what is passed for them.
func (f *flattener) parameters(c *call, fn *function, at string) []string {
	args := arguments(c.args)
	var names, values []string
	for i, param := range fn.params {
		switch {
		case i >= len(args):
			names = append(names, param)
		case args[i] != param || assigns(fn.body, param):
			names, values = append(names, param), append(values, args[i])
		}
	}
	if len(names) == 0 {
		return nil
	}
	line := at + "local " + strings.Join(names, ", ")
	if len(values) > 0 {
		line += " = " + strings.Join(values, ", ")
	}
	return []string{line}
}

// assigns reports whether lines give another value to a name.
func assigns(lines []string, name string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		left, _, found := strings.Cut(bare(line), " = ")
		if _, behind, then := strings.Cut(left, " then "); then {
			left = behind
		}
		return found && slices.Contains(words(left), name)
	})
}

// returning rewrites a line that returns.
func (to *result) returning(at, line string, i int) []string {
	if to == nil {
		return []string{at + line}
	}
	text, indented := line, ""
	one := oneLineIf.FindStringSubmatch(line)
	if one != nil && strings.HasPrefix(one[2], "return") {
		text, indented = one[2], "  "
	}
	value, returns := strings.CutPrefix(text, "return")
	if !returns {
		return []string{at + line}
	}
	value = strings.TrimSpace(value)
	if value == "" {
		value = "nil"
	}
	var out []string
	switch {
	case len(to.targets) > 0:
		out = append(out, at+indented+strings.Join(to.targets, ", ")+" = "+value)
	case strings.Contains(value, "("):
		out = append(out, at+indented+"local _ = "+value)
	}
	if to.early && i != to.last {
		out = append(out, at+indented+"break")
	}
	if indented == "" {
		return out
	}
	if len(out) == 2 { // on one line, as it was
		return []string{at + "if " + one[1] + " then " + strings.TrimSpace(out[0]) + " break end"}
	}
	return append(append([]string{at + "if " + one[1] + " then"}, out...), at+"end")
}
