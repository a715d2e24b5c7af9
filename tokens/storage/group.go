package storage

import (
	"bytes"
	"slices"
)

// GroupTag is the first 64 bits of SHA-256 of a group's name, as the configuration
// writes it.
type GroupTag [8]byte

// TagGroup returns the tag of a group.
func TagGroup(name string) GroupTag {
	h := Hash16("group", []byte(name))
	return GroupTag(h[:8])
}

// SortGroups returns the tags in order, each once, as Person.Groups has them.
func SortGroups(tags []GroupTag) []GroupTag {
	sorted := slices.SortedFunc(slices.Values(tags), func(a, b GroupTag) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(sorted)
}

// MaxGroups is how many groups of a person are kept.
const MaxGroups = 255

// AnyOf are groups of which a person must be in one. Nobody is in one of none.
type AnyOf []GroupTag

// AllOf are rules that must all hold: MaxRuleTags tags in all. None hold for everybody.
type AllOf []AnyOf

// MaxRuleTags is how many tags the rules of a request have together.
const MaxRuleTags = 16

// Allow reports whether somebody who is in the groups passes.
func (a AllOf) Allow(groups []GroupTag) bool {
	for _, any := range a {
		if !slices.ContainsFunc(any, func(g GroupTag) bool { return slices.Contains(groups, g) }) {
			return false
		}
	}
	return true
}
