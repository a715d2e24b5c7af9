package people

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Rule says whom something is for: of each line, somebody has to be in one group. No
// lines are for everybody.
type Rule [][]string

// Allows reports whether somebody with these groups may.
func (r Rule) Allows(groups []string) bool {
	return r.Missing(groups) == nil
}

// Missing returns the first line of which somebody is in no group, nil for none.
func (r Rule) Missing(groups []string) []string {
	for _, line := range r {
		if !slices.ContainsFunc(line, func(name string) bool { return slices.Contains(groups, name) }) {
			return line
		}
	}
	return nil
}

// Names are the groups that the rule speaks of.
func (r Rule) Names() []string {
	var names []string
	for _, line := range r {
		for _, name := range line {
			names = appendNew(names, name)
		}
	}
	return names
}

// String writes the rule as the configuration does, lines after commas.
func (r Rule) String() string {
	lines := make([]string, len(r))
	for i, line := range r {
		lines[i] = strings.Join(line, " ")
	}
	return strings.Join(lines, ", ")
}

// Ask returns what the store has to look for in somebody's record to decide about a rule:
// nothing for the lines that the configuration alone says yes to. A line that
// nobody at a provider can meet asks for none, which nobody has.
func (d *Directory) Ask(user storage.UserTag, r Rule) storage.AllOf {
	if len(r) == 0 {
		return nil
	}
	var configured []string
	if d != nil {
		configured = d.configured(user)
	}
	var ask storage.AllOf
	for _, line := range r {
		if slices.ContainsFunc(line, func(name string) bool { return slices.Contains(configured, name) }) {
			continue
		}
		tags := storage.AnyOf{}
		for _, name := range line {
			if d != nil {
				tags = append(tags, d.tags[name]...)
			}
		}
		ask = append(ask, storage.AnyOf(storage.SortGroups(tags)))
	}
	return ask
}

// Tags is how many tags a rule may ask the store for at most: of each line those of all its
// names, since for another person the configuration may say yes to none of them.
func (d *Directory) Tags(r Rule) int {
	n := 0
	for _, line := range r {
		for _, name := range line {
			n += max(1, len(d.tags[name]))
		}
	}
	return n
}
