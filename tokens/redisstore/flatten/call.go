package main

import (
	"regexp"
	"slices"
	"strings"
)

// call is a statement that is nothing but the call of a function of ours.
type call struct {
	name, args string
	targets    []string // what it is assigned to
	declares   bool     // the targets are declared by it: local a, b = name(args)
	returned   bool     // return name(args)
	condition  string   // if condition then … end, on one line
	note       string   // the comment behind it
}

var (
	callStatement = regexp.MustCompile(`^(?:(local )?([\w., ]+) = |(return ))?(\w+)\((.*)\)$`)
	oneLineIf     = regexp.MustCompile(`^if (.*) then (.*) end$`)
	trailing      = regexp.MustCompile(`\s*(-- .*)$`)
)

// readCall reads a line without its indent; nil for anything else.
func readCall(line string, known func(name string) bool) *call {
	c := &call{}
	if strings.HasPrefix(line, "--") {
		return nil
	}
	if note := trailing.FindStringSubmatch(line); note != nil && !strings.Contains(note[1], "'") {
		c.note, line = note[1], strings.TrimSuffix(line, note[0])
	}
	if one := oneLineIf.FindStringSubmatch(line); one != nil {
		c.condition, line = one[1], one[2]
	}
	m := callStatement.FindStringSubmatch(line)
	if m == nil || !known(m[4]) || !balanced(m[5]) {
		return nil
	}
	c.declares, c.targets, c.returned, c.name, c.args = m[1] != "", words(m[2]), m[3] != "", m[4], m[5]
	return c
}

// balanced reports whether each bracket that is closed was opened before.
func balanced(text string) bool {
	depth := 0
	for _, r := range quoted.ReplaceAllString(text, "''") {
		switch r {
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			depth--
		}
		if depth < 0 {
			return false
		}
	}
	return depth == 0
}

// arguments splits the arguments of a call.
func arguments(text string) []string {
	var list []string
	depth, from, inQuotes := 0, 0, false
	for i, r := range text {
		switch {
		case r == '\'':
			inQuotes = !inQuotes
		case inQuotes:
		case strings.ContainsRune("({[", r):
			depth++
		case strings.ContainsRune(")}]", r):
			depth--
		case r == ',' && depth == 0:
			list, from = append(list, strings.TrimSpace(text[from:i])), i+1
		}
	}
	if last := strings.TrimSpace(text[from:]); last != "" {
		list = append(list, last)
	}
	return list
}

// exits tells how a function returns.
type exits struct {
	early  bool // elsewhere than in its last line, too
	inLoop bool // within a loop, out of which a block can't leave
}

var (
	returnInLine = regexp.MustCompile(`\breturn\b`)
	loopHead     = regexp.MustCompile(`^(for|while|repeat)\b`)
)

// exits looks for the returns of a function.
func (f *function) exits() exits {
	var e exits
	loops, last := 0, f.lastReturn()
	eachStatement(f.body, func(i int, line string, inner bool) {
		text := bare(line)
		if inner {
			return
		}
		indent := len(indentOf(text))
		for loops > 0 && indent < loops {
			loops = 0
		}
		head := loopHead.MatchString(strings.TrimSpace(text))
		if head && loops == 0 && !strings.HasSuffix(text, " end") {
			loops = indent + 1
		}
		if returnInLine.MatchString(text) {
			e.inLoop = e.inLoop || loops > 0 || head
			e.early = e.early || i != last
		}
	})
	return e
}

// lastReturn is the index of the line in which the last statement returns; -1 if
// that is another one.
func (f *function) lastReturn() int {
	for i, line := range slices.Backward(f.body) {
		switch {
		case strings.HasPrefix(line, "return"):
			return i
		case line != "}" && !strings.HasPrefix(line, " "):
			return -1
		}
	}
	return -1
}

// eachStatement calls do with each line; inner are those within a function
// that is made there, which are left as they are.
func eachStatement(lines []string, do func(i int, line string, inner bool)) {
	inner, margin := false, ""
	for i, line := range lines {
		text := bare(line)
		if inner {
			do(i, line, true)
			if indentOf(line) == margin && strings.HasPrefix(strings.TrimSpace(text), "end") {
				inner = false
			}
			continue
		}
		opens := innerFunction.MatchString(text) && !strings.Contains(text, " end")
		do(i, line, opens)
		if opens {
			inner, margin = true, indentOf(line)
		}
	}
}
