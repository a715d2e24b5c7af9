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
	p := &page{source: s, done: make(map[string]bool)}
	p.write()
	if _, err := os.Stdout.Write(p.out.Bytes()); err != nil {
		os.Exit(1)
	}
}

const head = `# Reference of the configuration

Every option, by the block of the Caddyfile that it stands in. The name in JSON is said where it differs. This page is made from the source by
` + "`go run ./.ci/reference > docs/reference.md`" + `: change the comments there.

A keyword without its arguments is an error, so that an unset ` + "`{$NAME}`" + ` is noticed. Durations are written as in Caddy: ` + "`10s`, `15m`, `12h`, `30d`" + `.
Values may be placeholders such as ` + "`{env.NAME}` and `{file./path}`" + ` where an option says so; ` + "`{$NAME}`" + ` works everywhere, and its value lands in the adapted JSON.
What is marked (JSON) has no word of its own in the Caddyfile: it is an argument of its block or line, as the syntax shows.

`

// page is the text as far as it is written.
type page struct {
	*source
	out  bytes.Buffer
	done map[string]bool // types that have a section
}

func (p *page) write() {
	p.out.WriteString(head)
	types := slices.SortedFunc(maps.Keys(p.modules), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(p.modules[a]), rank(p.modules[b])), cmp.Compare(p.modules[a], p.modules[b]))
	})
	types = slices.DeleteFunc(types, func(t string) bool { return p.structs[t] == nil || p.syntax[t] == "" && len(p.structs[t].fields) == 0 })
	for _, t := range types {
		fmt.Fprintf(&p.out, "* [%s](#%s)\n", title(p.modules[t]), anchor(title(p.modules[t])))
	}
	for _, t := range types {
		p.module(t)
	}
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
	fmt.Fprintf(&p.out, "\n## %s\n\nModule `%s`. %s\n", title(id), id, flow(without(p.structs[t].doc, t)))
	if p.syntax[t] != "" {
		fmt.Fprintf(&p.out, "\n```text\n%s\n```\n", p.syntax[t])
	}
	p.done[t] = true
	p.fields(t, "")
}

// fields writes the options of a struct, then those of the blocks in it.
func (p *page) fields(t, path string) {
	inner := p.list(t)
	for _, f := range inner {
		if p.done[f.typ] {
			continue
		}
		p.done[f.typ] = true
		word := cmp.Or(p.word(t, f.name), f.json)
		at := strings.TrimSpace(path + " " + word)
		fmt.Fprintf(&p.out, "\n### %s\n\n%s\n", at, flow(without(p.structs[f.typ].doc, f.typ)))
		p.fields(f.typ, at)
	}
}

// list writes an item for each option, and returns the fields that are blocks.
func (p *page) list(t string) (inner []field) {
	p.out.WriteString("\n")
	var walk func(string)
	walk = func(owner string) {
		for _, f := range p.structs[owner].fields {
			if f.json == "" {
				if p.structs[f.typ] != nil {
					walk(f.typ)
				}
				continue
			}
			word := cmp.Or(p.word(owner, f.name), p.word(t, f.name))
			name := "`" + word + "`"
			switch {
			case word == "":
				name = "`" + f.json + "` (JSON)"
			case word != f.json:
				name += " (JSON `" + f.json + "`)"
			}
			fmt.Fprintf(&p.out, "* **%s**: %s\n", name, flow(f.doc))
			if st := p.structs[f.typ]; st != nil && len(st.fields) > 0 {
				inner = append(inner, f)
			}
		}
	}
	walk(t)
	return inner
}

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
