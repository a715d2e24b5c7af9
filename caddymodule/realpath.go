package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
)

// maxLinks is how many dangling symbolic links are followed, as the kernel's limit.
const maxLinks = 40

// realPath returns the absolute path behind all symbolic links, of a file that
// need not exist yet: two spellings of one file must not be opened as two
// databases. It only looks, so that a user who may not read the folder
// (`caddy validate`) gets the same answer as far as it can see.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("resolving path %s: %w", path, err)
	}
	for range maxLinks {
		resolved, target := resolveParent(abs)
		if target == "" {
			return resolved, nil
		}
		abs = target
	}
	return "", fmt.Errorf("resolving path %s: too many symbolic links", path)
}

// resolveParent resolves the longest part of path that exists. target is where
// the rest leads when its first element is a link to something that does not exist.
func resolveParent(path string) (resolved, target string) {
	var rest string
	for head := path; ; head = filepath.Dir(head) {
		if real, err := filepath.EvalSymlinks(head); err == nil {
			return filepath.Join(real, rest), ""
		}
		if link, err := os.Readlink(head); err == nil {
			if !filepath.IsAbs(link) {
				link = filepath.Join(filepath.Dir(head), link)
			}
			return "", filepath.Join(link, rest)
		}
		if head == filepath.Dir(head) {
			return path, ""
		}
		rest = filepath.Join(filepath.Base(head), rest)
	}
}
