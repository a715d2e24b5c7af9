package storage

import "slices"

// Agreed is what somebody has agreed to at one client: for each redirect URI the access that
// was agreed to there. An answer to another address is another question.
type Agreed map[string]Access

// Access is, for each API by its identifier, the scopes there, sorted; what is no API's is
// under "". The same scope at another API is something else.
type Access map[string][]string

// Without returns what of the access is not in the other; nil for nothing. An API without
// a scope counts, too.
func (a Access) Without(other Access) Access {
	var missing Access
	for api, scopes := range a {
		known, there := other[api]
		left := slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return slices.Contains(known, scope) })
		if !there || len(left) > 0 {
			if missing == nil {
				missing = Access{}
			}
			missing[api] = left
		}
	}
	return missing
}

// With returns both together.
func (a Access) With(other Access) Access {
	both := Access{}
	for _, one := range []Access{a, other} {
		for api, scopes := range one {
			all := slices.Concat(both[api], scopes)
			slices.Sort(all)
			both[api] = slices.Compact(all)
		}
	}
	return both
}
