package pages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// folder is what an operator has written in the place of ours: texts by language tag,
// templates by their names, and what follows our stylesheet.
type folder struct {
	texts     map[string][]byte
	templates map[string]string
	style     string
}

// styleFile is the stylesheet of a folder.
const styleFile = "style.css"

// readFolder reads all files of a folder, and says of each other one that it is none of
// ours. Without a folder there are none.
func readFolder(from fs.FS) (*folder, error) {
	f := &folder{texts: make(map[string][]byte), templates: make(map[string]string)}
	if from == nil {
		return f, nil
	}
	entries, err := fs.ReadDir(from, ".")
	if err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), "~") {
			continue // of an editor, of Kubernetes
		}
		content, err := fs.ReadFile(from, e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading it: %w", err)
		}
		if err := f.take(e.Name(), content); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return f, nil
}

// take takes in one file.
func (f *folder) take(name string, content []byte) error {
	base := strings.TrimSuffix(name, path.Ext(name))
	switch {
	case name == styleFile:
		f.style = string(content)
		if strings.Contains(strings.ToLower(f.style), "</style") {
			return errors.New("it ends the style element: write CSS alone")
		}
	case path.Ext(name) == ".html":
		if _, err := fs.Stat(files, "html/"+name); err != nil {
			return fmt.Errorf("there is no page of this name: take one of %s", strings.Join(append(pageNames(), layoutName), ", "))
		}
		f.templates[base] = string(content)
	case path.Ext(name) == ".json":
		if _, err := language.Parse(base); err != nil {
			return errors.New("its name is no language tag: write de.json or pt-BR.json, say")
		}
		f.texts[base] = content
	default:
		return fmt.Errorf("it is neither a page (.html), nor texts (.json), nor %s: take it out of the folder", styleFile)
	}
	return nil
}

// addTexts puts the texts of a folder in the place of ours. What a file leaves out is as
// in the language of which it is a part, or else in English.
func (f *folder) addTexts(l locales) error {
	ours := make(map[string]string)
	l[english].each(func(key, text string) { ours[key] = text })
	for _, lang := range slices.SortedFunc(maps.Keys(f.texts), byLength) { // de before de-AT
		base := l.lookUp(lang)
		if base == nil {
			base = l[english]
		}
		t := base.clone()
		t.Lang = lang
		if err := t.read(bytes.NewReader(f.texts[lang])); err != nil {
			return fmt.Errorf("%s.json: %w", lang, inWords(f.texts[lang], err))
		}
		var wrong []error
		t.each(func(key, text string) {
			if err := checkText(key, text, ours); err != nil {
				wrong = append(wrong, err)
			}
		})
		if len(wrong) > 0 {
			slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
			return fmt.Errorf("%s.json: %w", lang, wrong[0])
		}
		l.add(t)
	}
	return nil
}

func byLength(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// inWords says where a file of texts is wrong, and what to write.
func inWords(content []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("line %d: %w", 1+bytes.Count(content[:min(int(syntax.Offset), len(content))], []byte("\n")), syntax)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a %s: write it as our English file does", kind.Field, kind.Value)
	}
	if _, key, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return fmt.Errorf("there is no text %s: take the names of our English file", key)
	}
	return err
}
