package caddymodule

import (
	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// Group says who is in a group of this gateway. Beside the people of its lines everybody is in
// it whose local user has a group of this name, or whose login has `groups_as_sent` and
// sends this name.
type Group struct {
	// What rules, tokens and applications call it: up to 255 bytes without blanks and `|`.
	// Default: none, it is required.
	Name string `json:"name,omitempty"`

	// What logins call it: who comes by one of them and is in one of these groups there
	// is in this one. Default: none.
	From []*GroupSource `json:"from,omitempty"`

	// People who are in it by themselves: subjects, `<login>|<id>`, as `caddy oauth users list`
	// shows them. Default: none.
	Members []string `json:"members,omitempty"`
}

// GroupSource are groups of one login.
type GroupSource struct {
	// The name of the login. Default: none, it is required.
	Login string `json:"login,omitempty"`

	// What its provider calls the groups, byte for byte; of a local login, what its users'
	// `groups` say. Default: none, one is required.
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
