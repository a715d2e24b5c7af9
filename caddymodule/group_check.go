package caddymodule

import (
	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// checkGroups checks each group, and that the logins are there that it takes people from.
func (a *App) checkGroups() error {
	seen, logins := make(map[string]bool), make(map[string]bool)
	for _, l := range readLogins(a.LoginsRaw) {
		logins[l.Name] = true
	}
	for _, g := range a.Groups {
		if g == nil {
			return grammar.Within("groups", grammar.Wrong("", "there is a null in the list: leave it out"))
		}
		if seen[g.Name] {
			return grammar.Within(g.block(), grammar.Wrong("", "duplicate group: put all of its lines in one block"))
		}
		seen[g.Name] = true
		if err := g.check(logins); err != nil {
			return grammar.Within(g.block(), err)
		}
	}
	return nil
}

// checkRules checks that the store can decide about the rules of clients, each in one call.
func (a *App) checkRules() error {
	directory := a.directory(readLogins(a.LoginsRaw), nil)
	for _, c := range a.Clients {
		if n := directory.Tags(c.For); n > storage.MaxRuleTags {
			return grammar.Within(c.block(), grammar.Wrong("for", "its groups have %d names at logins together, and a refresh can ask for %d: "+
				"make one group of them with a `group` block that takes fewer names, or give people one group for it at the provider", n, storage.MaxRuleTags))
		}
	}
	return nil
}
