package caddymodule

import (
	"cmp"
	"encoding/json"
	"slices"
)

// anyLogin is what the app reads of a login of any module.
type anyLogin struct {
	Module       string            `json:"module"`
	Name         string            `json:"name"`
	Issuer       string            `json:"issuer"`
	Enterprise   string            `json:"enterprise"`
	ClientID     string            `json:"client_id"`
	EmailDomains []string          `json:"email_domains"`
	GroupsAsSent bool              `json:"groups_as_sent"`
	ProfilesFile string            `json:"profiles_file"`
	Users        []*localGroups    `json:"users"`
	ACRs         map[string]string `json:"acrs"`
}

// localGroups is what the app reads of a local user.
type localGroups struct {
	Groups []string `json:"groups"`
}

// readAnyLogin reads a login; it has no name where LoadModule will say what is wrong with it.
func readAnyLogin(raw json.RawMessage) (l anyLogin) {
	if json.Unmarshal(raw, &l) != nil {
		return anyLogin{}
	}
	l.Name = cmp.Or(l.Name, l.Module)
	if l.Module == "github" {
		l.Issuer = cmp.Or(l.Enterprise, githubIssuer)
	}
	return l
}

// readLogins reads all logins that have a name.
func readLogins(raws []json.RawMessage) []anyLogin {
	var all []anyLogin
	for _, raw := range raws {
		if l := readAnyLogin(raw); l.Name != "" {
			all = append(all, l)
		}
	}
	return all
}

// nameOfLogin returns the name of a login of any module, "" where there is none.
func nameOfLogin(raw json.RawMessage) string { return readAnyLogin(raw).Name }

// hasGroups reports whether people of the login can be in groups that no block names: those
// that its users have, or may get in a file, and those that its provider sends.
func (l anyLogin) hasGroups() bool {
	return l.GroupsAsSent || l.ProfilesFile != "" || slices.ContainsFunc(l.Users, func(u *localGroups) bool { return u != nil && len(u.Groups) > 0 })
}

// block names the login in errors.
func (l anyLogin) block() string { return "login " + l.Name }
