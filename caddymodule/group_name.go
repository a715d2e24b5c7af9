package caddymodule

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// check finds what the text shows to be wrong with the group.
func (g *Group) check(logins map[string]bool) error {
	if err := checkGroupName(g.Name); err != nil {
		return grammar.Wrong("", "its name %s", err)
	}
	if strings.Contains(g.Name, "|") || strings.ContainsFunc(g.Name, unicode.IsSpace) {
		return grammar.Wrong("", "its name has a blank or a bar: choose another, and take the provider's by a line `from <login> <theirs>`")
	}
	seen := make(map[people.Source]bool)
	for _, from := range g.From {
		if from == nil || len(from.Names) == 0 {
			return grammar.Wrong("from", "there is one without a name: write `from <login> <theirs>`")
		}
		if !logins[from.Login] {
			return grammar.WrongValue("from", from.Login, "is no login: write one of %s", strings.Join(slices.Sorted(maps.Keys(logins)), ", "))
		}
		for _, name := range from.Names {
			if err := checkGroupName(name); err != nil {
				return grammar.WrongValue("from", name, "%s", err)
			}
			source := people.Source{Login: from.Login, Name: name}
			if seen[source] {
				return grammar.WrongValue("from", name, "of login %s is there before: leave one out", from.Login)
			}
			seen[source] = true
		}
	}
	return checkEach("member", g.Members, checkMember)
}

// checkMember checks the subject of a person.
func checkMember(subject string) error {
	login, id, found := strings.Cut(subject, "|")
	if !found || id == "" || !loginName.MatchString(login) {
		return errors.New("is not the subject of a person: write it as company|00u1, as `caddy oauth users list` shows it")
	}
	return checkSubjectID(id)
}

// checkRule checks the names of a `for` option, and that no line is empty.
func checkRule(lines [][]string) error {
	for _, line := range lines {
		if len(line) == 0 {
			return grammar.Wrong("for", "there is a line without a group: nobody could meet it; leave it out for everybody")
		}
		if err := checkEach("for", line, checkGroupName); err != nil {
			return err
		}
	}
	return nil
}
