package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// someGroups is what is known of who can be in which group.
type someGroups struct {
	named  map[string]bool // by a block that has a line, or a local user
	asSent bool            // there is a login whose names all count
	locals map[string]bool // subjects of local users
	logins map[string]bool // whether the login is one of local users
}

// groupsAround collects what the configuration says of groups, and its files as they are now.
func (a *App) groupsAround() someGroups {
	known := someGroups{named: make(map[string]bool), locals: make(map[string]bool), logins: make(map[string]bool)}
	for _, g := range a.Groups {
		if len(g.From)+len(g.Members) > 0 {
			known.named[g.Name] = true
		}
	}
	for _, l := range a.written {
		known.logins[l.Name] = false
		known.asSent = known.asSent || l.GroupsAsSent
	}
	for _, module := range a.loginModules {
		l, ok := module.(*LocalLogin)
		if !ok {
			continue
		}
		known.logins[l.name()] = true
		for _, name := range l.local.Users() {
			known.locals[l.name()+"|"+name] = true
		}
		for _, group := range l.local.Groups() {
			known.named[group] = true
		}
	}
	return known
}

// groupFindings are what of the groups, and of the rules that speak of them, may not be meant so.
func (a *App) groupFindings() []Finding {
	known := a.groupsAround()
	found := append(a.memberFindings(known), a.sourceFindings()...)
	if known.asSent {
		return found // any name may be a group
	}
	for _, rule := range append(a.rules(), a.guards.rules...) {
		for _, name := range rule.For.Names() {
			if !known.named[name] {
				found = append(found, warning(rule.block, rule.option, "nobody is in the group %s: %s", name, known.way(name)))
			}
		}
	}
	for _, api := range a.APIs {
		if len(known.named) == 0 && slices.Contains(api.TokenClaims, tokens.ClaimGroups) {
			found = append(found, warning(api.block(), "token_claims", "nobody is in a group, so that the claim groups is an empty list in every token: "+
				"write `group` blocks, or `groups` of local users"))
		}
	}
	return found
}

func warning(block, option, format string, args ...any) Finding {
	return Finding{SeverityWarning, block, fmt.Sprintf(format, args...), option, nil}
}

// memberFindings name members whom no login can make.
func (a *App) memberFindings(known someGroups) (found []Finding) {
	for _, g := range a.Groups {
		for _, member := range g.Members {
			login, _, _ := strings.Cut(member, "|")
			local, there := known.logins[login]
			switch {
			case !there:
				found = append(found, warning(g.block(), "member", "%s can be nobody, since there is no login %s: correct it, or take it out", member, login))
			case local && !known.locals[member]:
				found = append(found, warning(g.block(), "member", "%s is nobody now: login %s has no such user; names count byte for byte here", member, login))
			}
		}
	}
	return found
}

// sourceFindings name logins that groups take people from, and that tell of no groups.
func (a *App) sourceFindings() (found []Finding) {
	for _, module := range a.loginModules {
		switch l := module.(type) {
		case *OIDCLogin:
			if a.takesFrom(l.name()) && len(l.groupsClaims()) == 0 {
				found = append(found, warning(l.block(), "groups_claim", "this provider tells of no groups, and a group takes people by them: name the claim that holds them, or write `member` lines"))
			}
		case *GitHubLogin:
			if len(l.Scopes) > 0 && !slices.Contains(l.Scopes, githubGroups) && (l.GroupsAsSent || a.takesFrom(l.named("github"))) {
				found = append(found, warning(l.block(), "scopes", "its groups count, and GitHub tells of them with the scope read:org alone: add it"))
			}
		}
	}
	return found
}

// way says how somebody would get into a group.
func (k *someGroups) way(name string) string {
	other, slash := strings.CutPrefix(name, "/")
	if !slash {
		other = "/" + name
	}
	if k.named[other] {
		return "there is " + other + ", which is another; names count byte for byte"
	}
	return "write `group " + name + " { from <login> <theirs> }`, or give the group to a local user"
}

// warnOfGroups logs the findings of groups: it waits for the guards, which have rules of their own.
func (a *App) warnOfGroups() {
	for _, f := range a.groupFindings() {
		a.log.Warn(f.Text, zap.String("block", f.Where), zap.String("option", f.Option))
	}
}
