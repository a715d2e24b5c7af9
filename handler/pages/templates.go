package pages

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"slices"
	"strings"
)

//go:embed html/*.html
var files embed.FS

// functions are what templates have beside those of html/template.
var functions = template.FuncMap{"strong": strong, "code": code, "pager": newPager}

// pager is a Pager with what its template needs.
type pager struct {
	Pager

	T     *Texts
	Label string // what it is a part of
}

func newPager(t *Texts, p Pager, label string) pager { return pager{p, t, label} }

// pageNames are the names of the templates, without the layout.
func pageNames() []string {
	entries, err := fs.ReadDir(files, "html")
	if err != nil {
		panic(err) // they are embedded
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".html"); name != layoutName {
			names = append(names, name)
		}
	}
	return names
}

// source returns a template, the operator's or ours, and whether it is theirs.
func (f *folder) source(name string) (text string, theirs bool, err error) {
	if text, theirs = f.templates[name]; theirs {
		return text, true, nil
	}
	b, err := files.ReadFile("html/" + name + ".html")
	return string(b), false, err
}

// parse reads all templates, and tries those that an operator has written.
func (s *Set) parse(f *folder) error {
	layout, theirs, err := f.source(layoutName)
	if err != nil {
		return fmt.Errorf("reading page: %w", err)
	}
	try := make(map[string]string) // templates to try, by whose file it is about
	for _, name := range pageNames() {
		tmpl := template.New(layoutName + ".html").Funcs(functions)
		if tmpl, err = tmpl.Parse(layout); err != nil {
			return fmt.Errorf("%s.html: %w", layoutName, err)
		}
		if theirs {
			try[name] = layoutName
		}
		text, own, err := f.source(name)
		if err != nil {
			return fmt.Errorf("reading page: %w", err)
		}
		if tmpl, err = tmpl.New(name + ".html").Parse(text); err != nil {
			return fmt.Errorf("%s.html: %w", name, err)
		}
		if own {
			try[name] = name
		}
		s.templates[name] = tmpl
	}
	return s.try(try)
}

// try renders the samples of templates, and looks for what their forms need.
func (s *Set) try(templates map[string]string) error {
	for _, sample := range samples() {
		file, ok := templates[sample.page]
		if !ok {
			continue
		}
		for _, lang := range s.Languages() {
			page, err := sample.render(s, s.In(lang, ""))
			if err != nil {
				return fmt.Errorf("%s.html: %w", file, err)
			}
			if i := slices.IndexFunc(sample.needs, func(need string) bool { return !strings.Contains(string(page.HTML), need) }); i >= 0 {
				return fmt.Errorf("%s.html: the page has no %s where it shows %q: write this as our own file does", file, sample.needs[i], sample.name)
			}
		}
	}
	return nil
}
