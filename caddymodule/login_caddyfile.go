package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// UnmarshalCaddyfile sets up the login from Caddyfile tokens and checks it. Syntax:
//
//	login local [<name>] {
//	    user <name> <hash> {
//	        email <address>
//	        name  <text>
//	        groups <group...>
//	        claim  <name> <value>
//	    }
//	    users_file    <path>
//	    profiles_file <path>
//	}
//
// `user` may be repeated, and needs no block. So may `groups` and `claim`.
func (l *LocalLogin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := grammar.NewReader(d, "login local")
	if err := g.Optional(&l.Name, "name", defaultLoginName); err != nil {
		return err
	}
	if err := g.NeedBlock(); err != nil {
		return err
	}
	if err := g.ReadBlock(l.block(), grammar.Options{
		"user":          {Read: l.readUser, Many: true},
		"users_file":    grammar.String(&l.UsersFile),
		"profiles_file": grammar.String(&l.ProfilesFile),
	}); err != nil {
		return err
	}
	return g.Located(grammar.Within(l.block(), l.Check()))
}

func (l *LocalLogin) readUser(g *grammar.Reader) error {
	if !g.NextArg() {
		return g.Missing()
	}
	u := &LocalUser{ID: g.Val()}
	l.Users = append(l.Users, u)
	g.Name = u.block()
	if !g.NextArg() {
		return g.Errorf(" has no hash: %s (a {$NAME} that is not set leaves none)", makeHash)
	}
	u.Hash = g.Val()
	if g.NextArg() { // which may be part of a password: not to be shown
		return g.Errorf(" has one argument too many: write its name and its hash, and the rest in a block")
	}
	return g.ReadBlock(u.block(), grammar.Options{
		"email":  grammar.String(&u.Email),
		"name":   grammar.String(&u.Name),
		"groups": grammar.List(&u.Groups),
		"claim":  pairs("<name> <value>", &u.Claims),
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*LocalLogin)(nil)
