// Command reference writes docs/reference.md: every option of the configuration, with its
// JSON name and its default, from the comments of the config structs.
//
//	go run ./.ci/reference > docs/reference.md
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	s, err := read("caddymodule", "caddymodule/webhook")
	if err != nil {
		fmt.Fprintf(os.Stderr, "reading the configuration: %v\n", err)
		os.Exit(1)
	}
	p := &page{source: s, places: make(map[string]string), done: make(map[string]bool)}
	p.write()
	if _, err := os.Stdout.Write(p.out.Bytes()); err != nil {
		os.Exit(1)
	}
}

const head = `# Configuration reference

Every option with its default, grouped by the block of the Caddyfile that it belongs to. If the JSON name differs, it is given in parentheses. Options marked (JSON) have no keyword in the Caddyfile: they are an argument of their block or line, as the syntax shows.

A keyword without its arguments is an error, so that an unset ` + "`{$NAME}`" + ` does not go unnoticed. Write durations as in Caddy: ` + "`10s`, `15m`, `12h`, `30d`" + `. Values can be placeholders such as ` + "`{env.NAME}` and `{file./path}`" + ` if the option says so. ` + "`{$NAME}`" + ` works everywhere, but its value ends up in the adapted JSON.

This page is generated from the source by ` + "`go run ./.ci/reference > docs/reference.md`" + `. To change it, edit the comments there.

`

// page is the text as far as it is written.
type page struct {
	*source
	out    bytes.Buffer
	places map[string]string // the headings of the types, those first that come first
	done   map[string]bool   // types whose section is written
}

func (p *page) write() {
	p.out.WriteString(head)
	types := slices.SortedFunc(maps.Keys(p.modules), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(p.modules[a]), rank(p.modules[b])), cmp.Compare(p.modules[a], p.modules[b]))
	})
	types = slices.DeleteFunc(types, func(t string) bool { return p.structs[t] == nil || p.syntax[t] == "" && len(p.structs[t].fields) == 0 })
	for _, t := range types {
		p.contents(t)
	}
	for _, t := range types {
		p.module(t)
	}
}

// contents writes a line of the table of contents: a module and the blocks in it.
func (p *page) contents(t string) {
	name := title(p.modules[t])
	fmt.Fprintf(&p.out, "* [%s](#%s)", name, anchor(name))
	p.places[t] = name
	separator := ": "
	var visit func(owner, path string)
	visit = func(owner, path string) {
		for _, f := range p.blocks(owner) {
			if p.places[f.typ] != "" {
				continue
			}
			at := strings.TrimSpace(path + " " + cmp.Or(p.word(owner, f.name), f.json))
			p.places[f.typ] = at
			fmt.Fprintf(&p.out, "%s[%s](#%s)", separator, at, anchor(at))
			separator = ", "
			visit(f.typ, at)
		}
	}
	visit(t, within(p.modules[t]))
	p.out.WriteString("\n")
}

// within is what the headings of the blocks in a module begin with.
func within(id string) string {
	_, name, _ := strings.Cut(title(id), " ")
	switch {
	case id == "oauth":
		return ""
	case strings.HasPrefix(id, "http.handlers."):
		return name
	}
	return title(id)
}

// rank is the order of the modules: the app, its parts, the handlers.
func rank(id string) int {
	for i, prefix := range []string{"oauth.stores", "oauth.logins", "oauth", "http.handlers", ""} {
		if strings.HasPrefix(id, prefix) {
			return map[int]int{0: 1, 1: 2, 2: 0, 3: 3, 4: 4}[i]
		}
	}
	return 9
}

func title(id string) string {
	switch {
	case id == "oauth":
		return "Global option oauth"
	case strings.HasPrefix(id, "oauth.stores."):
		return "store " + strings.TrimPrefix(id, "oauth.stores.")
	case strings.HasPrefix(id, "oauth.logins."):
		return "login " + strings.TrimPrefix(id, "oauth.logins.")
	case strings.HasPrefix(id, "http.handlers."):
		return "Directive " + strings.TrimPrefix(id, "http.handlers.")
	}
	return "Module " + id
}

func anchor(title string) string {
	return strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(title, ".", "")), " ", "-")
}

func (p *page) module(t string) {
	id := p.modules[t]
	fmt.Fprintf(&p.out, "\n## %s\n\nModule `%s`. %s\n", title(id), id, strings.ReplaceAll(flow(without(p.structs[t].doc, t)), "\n\n  ", "\n\n"))
	if p.syntax[t] != "" {
		fmt.Fprintf(&p.out, "\n```text\n%s\n```\n", p.syntax[t])
	}
	p.done[t] = true
	p.fields(t)
}

// fields writes the options of a struct, then those of the blocks in it.
func (p *page) fields(t string) {
	if same := p.same(t); same != "" {
		fmt.Fprintf(&p.out, "\nThe options and their JSON names are the same as those of [%s](#%s).\n", same, anchor(same))
		return
	}
	p.out.WriteString("\n")
	p.each(t, func(owner string, f field) { p.option(t, owner, f) })
	for _, f := range p.blocks(t) {
		if p.done[f.typ] {
			continue
		}
		p.done[f.typ] = true
		fmt.Fprintf(&p.out, "\n### %s\n\n%s\n", p.places[f.typ], strings.ReplaceAll(flow(without(p.structs[f.typ].doc, f.typ)), "\n\n  ", "\n\n"))
		p.fields(f.typ)
	}
}

// same is the heading of another module that has all fields of this one, or "".
func (p *page) same(t string) string {
	own := p.names(t)
	for other := range p.modules {
		if other != t && p.done[other] && len(own) > 5 && slices.Equal(own, p.names(other)) {
			return p.places[other]
		}
	}
	return ""
}

func (p *page) names(t string) (names []string) {
	p.each(t, func(_ string, f field) { names = append(names, f.json) })
	return names
}

// each visits the options of a struct, and those of the structs that are embedded in it.
func (p *page) each(owner string, visit func(owner string, f field)) {
	for _, f := range p.structs[owner].fields {
		switch {
		case f.json != "":
			visit(owner, f)
		case p.structs[f.typ] != nil:
			p.each(f.typ, visit)
		}
	}
}

// blocks are the options of a struct that have options of their own.
func (p *page) blocks(t string) (found []field) {
	if p.structs[t] == nil {
		return nil
	}
	p.each(t, func(_ string, f field) {
		if st := p.structs[f.typ]; st != nil && len(st.fields) > 0 {
			found = append(found, f)
		}
	})
	return found
}

// option writes the item of an option.
func (p *page) option(t, owner string, f field) {
	word := cmp.Or(p.word(owner, f.name), p.word(t, f.name))
	name := "`" + word + "`"
	switch {
	case word == "":
		name = "`" + f.json + "` (JSON)"
	case word != f.json:
		name += " (JSON `" + f.json + "`)"
	}
	text := flow(f.doc)
	if place := p.places[f.typ]; place != "" {
		if below := asSaid.ReplaceAllString(text, ""); below != text {
			text = strings.TrimSpace(below)
		}
		text += fmt.Sprintf(" → [its options](#%s)", anchor(place))
	}
	fmt.Fprintf(&p.out, "* **%s**: %s\n", name, text)
}

// asSaid is a default that the options of the block have.
var asSaid = regexp.MustCompile(` Default: see [A-Z][A-Za-z]+\.?$`)

func (p *page) word(owner, field string) string { return p.options[owner][field] }

// without takes the name of the type from the front of its comment: `Denylist is how …`.
func without(doc, t string) string {
	for _, verb := range []string{" is ", " are ", " "} {
		if rest, ok := strings.CutPrefix(doc, t+verb); ok {
			if verb == " " {
				rest = strings.TrimLeft(rest, " ")
			}
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return doc
}

// flow is a comment as one paragraph, or several with breaks between them.
func flow(doc string) string {
	var parts []string
	for part := range strings.SplitSeq(strings.TrimSpace(doc), "\n\n") {
		if strings.HasPrefix(part, "\t") {
			part = "`" + strings.Join(strings.Fields(part), " ") + "`"
		}
		parts = append(parts, strings.Join(strings.Fields(part), " "))
	}
	return pages.ReplaceAllString(strings.Join(parts, "\n\n  "), "[$1]($1)")
}

// pages are the other pages of the documentation, as comments name them.
var pages = regexp.MustCompile("`?docs/([a-z-]+\\.md)`?")
