package caddymodule

import "github.com/caddyserver/caddy/v2"

func init() {
	caddy.RegisterModule(LocalLogin{})
}

// LoginModule is a guest module of the namespace `oauth.logins`: one way in
// which people log in.
type LoginModule interface {
	caddy.Module
	// LoginName returns the name that is unique among the logins. It is the
	// first half of every subject: `<login>|<id>`.
	LoginName() string
}

// LocalLogin lets people log in with a user name and a password that the
// configuration, or a file in htpasswd form, knows.
type LocalLogin struct {
	// The name of this login and the first half of its users' subjects. Default: local
	Name string `json:"name,omitempty"`

	// The users. Default: none; there must be some here or in the file.
	Users []*LocalUser `json:"users,omitempty"`

	// A file with a line `name:hash` for each user, read at every load of the configuration;
	// a relative path is below Caddy's working directory. Default: none.
	UsersFile string `json:"users_file,omitempty"`
}

// LocalUser is a person who logs in with a password.
type LocalUser struct {
	// The user name and second half of the subject. Default: none, it is required.
	ID string `json:"id,omitempty"`

	// The hash of the password, bcrypt or argon2id, as from `caddy hash-password`; or
	// `{env.NAME}` or `{file.PATH}` with such a hash. Default: none, it is required.
	Hash string `json:"hash,omitempty"`

	// The claim `email`. Default: none.
	Email string `json:"email,omitempty"`

	// The claim `name`. Default: none.
	Name string `json:"name,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (LocalLogin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth.logins.local",
		New: func() caddy.Module { return new(LocalLogin) },
	}
}

// LoginName returns the name of the login.
func (l *LocalLogin) LoginName() string {
	if l.Name == "" {
		return "local"
	}
	return l.Name
}
