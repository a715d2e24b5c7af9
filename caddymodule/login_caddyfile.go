package caddymodule

import "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

// UnmarshalCaddyfile sets up the login from Caddyfile tokens and checks it. Syntax:
//
//	login local [<name>] {
//	    user <name> <hash> {
//	        email <address>
//	        name  <text>
//	    }
//	    users_file <path>
//	}
//
// `user` may be repeated, and needs no block.
func (l *LocalLogin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := newGrammar(d, "login local")
	if err := g.optional(&l.Name, "name", defaultLoginName); err != nil {
		return err
	}
	if err := g.needBlock(); err != nil {
		return err
	}
	if err := g.block(l.block(), options{
		"user":       {read: l.readUser, many: true},
		"users_file": stringOption(&l.UsersFile),
	}); err != nil {
		return err
	}
	return g.located(within(l.block(), l.Check()))
}

func (l *LocalLogin) readUser(g *grammar) error {
	if !g.NextArg() {
		return g.missing()
	}
	u := &LocalUser{ID: g.Val()}
	l.Users = append(l.Users, u)
	g.name = u.block()
	if !g.NextArg() {
		return g.errorf(" has no hash: %s (a {$NAME} that is not set leaves none)", makeHash)
	}
	u.Hash = g.Val()
	if g.NextArg() { // which may be part of a password: not to be shown
		return g.errorf(" has one argument too many: write its name and its hash, and the rest in a block")
	}
	return g.block(u.block(), options{
		"email": stringOption(&u.Email),
		"name":  stringOption(&u.Name),
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*LocalLogin)(nil)
