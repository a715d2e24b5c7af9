package caddymodule

import (
	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// Group defines who is in a group of this gateway. Besides the people that its lines name, it
// includes every local user with a group of this name, and everybody whose login has
// `groups_as_sent` and sends this name.
type Group struct {
	// The name that rules, tokens, and applications use: up to 255 bytes without spaces and
	// `|`. Default: none, it is required.
	Name string `json:"name,omitempty"`

	// Groups of logins: people who sign in through such a login and are in one of these groups
	// there are in this group. Default: none.
	From []*GroupSource `json:"from,omitempty"`

	// Individual people in the group: subjects, `<login>|<id>`, as shown by
	// `caddy oauth users list`. Default: none.
	Members []string `json:"members,omitempty"`
}

// GroupSource names groups of one login.
type GroupSource struct {
	// The name of the login. Default: none, it is required.
	Login string `json:"login,omitempty"`

	// The provider's names for the groups, compared byte for byte. For a local login, the
	// `groups` of its users. Default: none, one is required.
	Names []string `json:"names,omitempty"`
}

// block names the group in errors.
func (g *Group) block() string { return grammar.Title("group", g.Name) }

func (g *Group) options() grammar.Options {
	return grammar.Options{
		"from":   grammar.Args("<login> <theirs...>", g.addSource).Repeated(),
		"member": grammar.List(&g.Members),
	}
}

func (g *Group) addSource(args []string) error {
	g.From = append(g.From, &GroupSource{Login: args[0], Names: args[1:]})
	return nil
}

// core returns the group as package people has it.
func (g *Group) core() people.Group {
	group := people.Group{Name: g.Name, Members: g.Members}
	for _, from := range g.From {
		for _, name := range from.Names {
			group.From = append(group.From, people.Source{Login: from.Login, Name: name})
		}
	}
	return group
}

// ruled is something that not everybody may do.
type ruled struct {
	block, option string
	For           people.Rule
}
