package caddymodule

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// readGroup reads a group, which needs no block: its members may all be local users.
func (a *App) readGroup(g *grammar.Reader) error {
	if !g.NextArg() {
		return g.Missing()
	}
	group := &Group{Name: g.Val()}
	a.Groups = append(a.Groups, group)
	if err := g.End(); err != nil {
		return err
	}
	return g.ReadBlock(group.block(), group.options())
}

// takesFrom reports whether a group has a line of this login.
func (a *App) takesFrom(login string) bool {
	return slices.ContainsFunc(a.Groups, func(g *Group) bool {
		return slices.ContainsFunc(g.From, func(from *GroupSource) bool { return from.Login == login })
	})
}

// directory returns what the core asks about groups; nil where the configuration has none
// and speaks of none. Guards add what they speak of.
func (a *App) directory(logins []anyLogin, locals people.Locals) *people.Directory {
	cfg := people.Config{Locals: locals}
	speaks := slices.ContainsFunc(a.APIs, func(api *API) bool { return slices.Contains(api.TokenClaims, tokens.ClaimGroups) })
	for _, g := range a.Groups {
		cfg.Groups = append(cfg.Groups, g.core())
	}
	for _, l := range logins {
		if l.GroupsAsSent {
			cfg.AsSent = append(cfg.AsSent, l.Name)
		}
		speaks = speaks || l.hasGroups()
	}
	for _, rule := range a.rules() {
		cfg.Mentioned = append(cfg.Mentioned, rule.For.Names()...)
	}
	if !speaks && len(cfg.Groups)+len(cfg.Mentioned) == 0 {
		return nil
	}
	return people.NewDirectory(cfg)
}

// noteRule notes whom a guard is for. What it speaks of is kept of what providers send.
func (a *App) noteRule(rule people.Rule, where string) {
	if len(rule) > 0 {
		a.guards.rules = append(a.guards.rules, ruled{where, "for", rule})
		a.people.Mention(rule.Names())
	}
}

// rules are those of the clients and scopes. Those of guards are noted while they are provisioned.
func (a *App) rules() []ruled {
	var all []ruled
	for _, c := range a.Clients {
		if len(c.For) > 0 {
			all = append(all, ruled{c.block(), "for", c.For})
		}
	}
	for _, api := range a.APIs {
		for _, s := range api.ScopeDetails {
			if len(s.For) > 0 {
				all = append(all, ruled{api.block() + ": " + s.block(), "for", s.For})
			}
		}
	}
	return all
}
