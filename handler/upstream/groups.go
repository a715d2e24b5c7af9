package upstream

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// maxGroup is how long the name of a group may be, in bytes.
const maxGroup = 255

// groupsOf reads groups out of a claim: a text is one and is never split, of a list each,
// an object with a name or an id is one, any other the names of its members (F33).
func groupsOf(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, member := range v {
			switch m := member.(type) {
			case string:
				list = append(list, m)
			case map[string]any:
				list = append(list, groupName(m))
			}
		}
		return list
	case map[string]any:
		return slices.Collect(maps.Keys(v))
	}
	return nil
}

// groupName is what an object in a list of groups calls its group.
func groupName(group map[string]any) string {
	for _, member := range []string{"name", "id", "value"} {
		if name := textOf(group[member]); name != "" {
			return name
		}
	}
	return ""
}

// hasGroups reports whether any claim of groups is there, be it empty.
func (c *Config) hasGroups(f *facts) bool {
	return slices.ContainsFunc(c.GroupsClaims, func(path string) bool {
		_, ok := f.get(path)
		return ok
	})
}

// groups returns the groups of all claims, of the ID token and of userinfo, sorted (F29).
func (c *Config) groups(f *facts) []string {
	var list []string
	for _, path := range c.GroupsClaims {
		for _, claims := range []map[string]any{f.token, f.info} {
			if value, ok := lookUp(claims, path); ok {
				list = append(list, groupsOf(value)...)
			}
		}
	}
	list = slices.DeleteFunc(list, func(name string) bool {
		return name == "" || len(name) > maxGroup || strings.ContainsFunc(name, unicode.IsControl)
	})
	slices.Sort(list)
	return slices.Compact(list)
}

// tooManyGroups reports whether the ID token says that its groups are elsewhere, since
// they are too many (Entra, F30).
func (c *Config) tooManyGroups(f *facts) bool {
	if len(c.GroupsClaims) == 0 || c.hasGroups(f) {
		return false
	}
	elsewhere, _ := f.token["_claim_names"].(map[string]any)
	return isTrue(f.token["hasgroups"]) || slices.ContainsFunc(c.GroupsClaims, func(name string) bool {
		_, ok := elsewhere[name]
		return ok
	})
}

// cutByOkta reports whether the list may have been cut: Okta does it without a word (F31).
func (c *Config) cutByOkta(groups []string) bool {
	return len(groups) == 100 && (strings.HasSuffix(c.home(), ".okta.com") || strings.HasSuffix(c.home(), ".oktapreview.com"))
}
