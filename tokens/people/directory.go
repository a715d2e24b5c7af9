// Package people knows who may do what: the groups of one configuration, who is in
// them, and the rules that ask for them. It knows no store and no protocol.
//
// Begin reading at Directory.
package people

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Group is one of the configuration's.
type Group struct {
	Name    string
	From    []Source // what logins call it
	Members []string // subjects, "<login>|<id>"
}

// maxGroup is how long the name of a group may be, in bytes.
const maxGroup = 255

// CheckGroup reports whether nobody can be in a group of this name, however it is called
// by a provider, and the fix.
func CheckGroup(name string) error {
	switch {
	case name == "":
		return errors.New("is empty: write the name of a group, or leave it out")
	case len(name) > maxGroup || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("is not the name of a group: it is UTF-8 of at most %d bytes, without control characters", maxGroup)
	}
	return nil
}

// Source is a group as a login names it.
type Source struct{ Login, Name string }

// Locals knows the groups of users whom the configuration itself lists.
type Locals interface {
	// LocalGroups returns the login and the groups of such a user, as configured now; ok
	// is false for anybody else.
	LocalGroups(user storage.UserTag) (login string, groups []string, ok bool)
}

// Config is what a Directory is made of.
type Config struct {
	Groups []Group
	AsSent []string // logins whose names count as they are
	// Mentioned are the names that rules and claims speak of. Of what a provider
	// sends, only what makes one of these, or of Groups, is kept.
	Mentioned []string
	Locals    Locals // nil for none
}

// Directory answers which groups somebody is in. Once it is in use it never changes. The
// zero value and nil know no groups.
type Directory struct {
	locals  Locals
	asSent  []string
	tags    map[string][]storage.GroupTag // of what providers send, by the group that it makes
	sources map[Source][]string           // the groups that a name of a login makes
	members map[storage.UserTag][]string  // by subject
	names   map[storage.GroupTag][]string // the groups that a kept tag makes
	known   map[string]bool               // groups of the configuration
}

// NewDirectory makes a Directory.
func NewDirectory(cfg Config) *Directory {
	d := &Directory{
		locals: cfg.Locals, tags: make(map[string][]storage.GroupTag), sources: make(map[Source][]string),
		members: make(map[storage.UserTag][]string), names: make(map[storage.GroupTag][]string), known: make(map[string]bool),
	}
	d.asSent = cfg.AsSent
	d.Mention(cfg.Mentioned)
	for _, g := range cfg.Groups {
		d.Mention([]string{g.Name})
		for _, s := range g.From {
			d.add(s, g.Name)
		}
		for _, subject := range g.Members {
			user := storage.TagSubject(subject)
			d.members[user] = appendNew(d.members[user], g.Name)
		}
	}
	return d
}

// Mention adds names that rules speak of, as Config.Mentioned has them. It is for what
// is made before the Directory is in use, and nil has nothing to add to.
func (d *Directory) Mention(names []string) {
	if d == nil {
		return
	}
	for _, name := range names {
		d.known[name] = true
		for _, login := range d.asSent {
			d.add(Source{login, name}, name)
		}
	}
}

// add notes that a name of a login makes a group.
func (d *Directory) add(s Source, group string) {
	d.sources[s] = appendNew(d.sources[s], group)
	tag := s.tag()
	d.tags[group] = appendNew(d.tags[group], tag)
	d.names[tag] = appendNew(d.names[tag], group)
}

// tag is how the store knows what a login sends: another login's group of this name has
// another one.
func (s Source) tag() storage.GroupTag { return storage.TagGroup(s.Login + "|" + s.Name) }

func appendNew[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// Keep returns what is kept of the groups that a login's provider has sent.
func (d *Directory) Keep(login string, sent []string) []storage.GroupTag {
	if d == nil {
		return nil
	}
	var kept []storage.GroupTag
	for _, name := range sent {
		if s := (Source{login, name}); len(d.sources[s]) > 0 {
			kept = append(kept, s.tag())
		}
	}
	return storage.SortGroups(kept)
}

// Of returns the groups that somebody is in, sorted: by the configuration as it is now,
// and by what was kept of what their provider has sent.
func (d *Directory) Of(user storage.UserTag, kept []storage.GroupTag) []string {
	if d == nil {
		return nil
	}
	set := make(map[string]bool)
	for _, name := range d.configured(user) {
		set[name] = true
	}
	for _, tag := range kept {
		for _, name := range d.names[tag] {
			set[name] = true
		}
	}
	if len(set) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(set))
}

// configured returns the groups of somebody by the configuration alone.
func (d *Directory) configured(user storage.UserTag) []string {
	names := slices.Clone(d.members[user])
	if d.locals == nil {
		return names
	}
	login, groups, ok := d.locals.LocalGroups(user)
	if !ok {
		return names
	}
	for _, g := range groups {
		names = appendNew(names, g)
		for _, made := range d.sources[Source{login, g}] {
			names = appendNew(names, made)
		}
	}
	return names
}

// Why says where the groups of somebody come from, for operators: a line each.
func (d *Directory) Why(user storage.UserTag, login string, kept []storage.GroupTag) map[string]string {
	why := make(map[string]string)
	if d == nil {
		return why
	}
	for source, made := range d.sources {
		if source.Login == login && slices.Contains(kept, source.tag()) {
			for _, g := range made {
				why[g] = "the provider sends " + source.Name
			}
		}
	}
	for _, g := range d.members[user] {
		why[g] = "a member line"
	}
	if d.locals == nil {
		return why
	}
	if local, groups, ok := d.locals.LocalGroups(user); ok {
		for _, g := range groups {
			for _, made := range d.sources[Source{local, g}] {
				why[made] = "the user's group " + g
			}
			why[g] = "the user's groups"
		}
	}
	return why
}

// Known reports whether the configuration has a group of this name, beside those of
// local users.
func (d *Directory) Known(name string) bool { return d != nil && d.known[name] }
