package login

import (
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Groups makes one people.Locals of all logins; nil where none has users of its own.
func Groups(logins []Login) people.Locals {
	var own locals
	for _, l := range logins {
		if local, ok := l.(*Local); ok {
			own = append(own, local)
		}
	}
	if own == nil {
		return nil
	}
	return own
}

type locals []*Local

// LocalGroups implements people.Locals.
func (all locals) LocalGroups(tag storage.UserTag) (login string, groups []string, ok bool) {
	for _, l := range all {
		if u, ok := l.current().byTag[tag]; ok {
			return l.cfg.Name, u.groups, true
		}
	}
	return "", nil, false
}

// Groups are all groups that a user is in, in order.
func (l *Local) Groups() []string {
	all := make(map[string]bool)
	for _, u := range l.current().byName {
		for _, group := range u.groups {
			all[group] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
