// Flatten puts the scripts of the store together, when the program is built and
// not when it runs: for each decision in lua/ it writes one script to flat/ that
// Redis runs from top to bottom. See flattened for what "flat" means.
//
//	go generate ./tokens/redisstore
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := generate("lua", "flat"); err != nil {
		fmt.Fprintln(os.Stderr, "flatten:", err)
		os.Exit(1)
	}
}

// generate writes to the directory `to` a script for each decision in `from`, and
// removes those that have no decision any more.
func generate(from, to string) error {
	scripts, err := flattenAll(from)
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(to, "*.lua"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, current := scripts[filepath.Base(path)]; !current {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// flattenAll returns the text of the script for each decision in a directory, by
// the name of its file.
func flattenAll(dir string) (map[string]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.lua"))
	if err != nil {
		return nil, err
	}
	library, decisions := &library{functions: make(map[string]*function), paragraphs: make(map[string]*paragraph)}, []*file{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		f, err := parse(filepath.Base(path), string(text))
		if err != nil {
			return nil, err
		}
		if f.part() {
			err = library.add(f)
		} else {
			decisions = append(decisions, f)
		}
		if err != nil {
			return nil, err
		}
	}
	scripts := make(map[string]string, len(decisions))
	for _, d := range decisions {
		if scripts[d.name], err = flattened(library, d); err != nil {
			return nil, fmt.Errorf("flattening %s: %w", d.name, err)
		}
	}
	return scripts, nil
}
