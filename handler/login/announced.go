package login

import (
	"maps"
	"slices"
)

// Announcer is a Login that says what tokens can say about its people, for discovery.
type Announcer interface {
	// Claims returns the names of the claims that somebody of this login may have.
	Claims() []string
	// ACRs returns how its people prove who they are: values of the claim acr.
	ACRs() []string
}

// ACRs returns all that the logins can give as acr, once each.
func ACRs(logins []Login) []string {
	var all []string
	for _, l := range logins {
		if a, ok := l.(Announcer); ok {
			for _, acr := range a.ACRs() {
				if !slices.Contains(all, acr) {
					all = append(all, acr)
				}
			}
		}
	}
	return all
}

// acrPassword is the acr of a login with a password.
const acrPassword = "pwd"

// Claims implements Announcer. Everybody has the claims that default to the name.
func (l *Local) Claims() []string {
	names := map[string]bool{"name": true, "nickname": true, "preferred_username": true}
	for _, u := range l.users.Load().byName {
		for name := range u.claims {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// ACRs implements Announcer.
func (l *Local) ACRs() []string { return []string{acrPassword} }
