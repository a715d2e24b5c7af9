package storage

import (
	"fmt"
	"slices"
	"strings"
)

// OtherIssuerError is returned by Open when the store belongs to another issuer:
// tokens, codes and sessions of one would be good at the other.
type OtherIssuerError struct {
	Issuers []string // whose it is
}

// Error names the issuer and the fix.
func (e *OtherIssuerError) Error() string {
	return fmt.Sprintf("the store belongs to the issuer %s: give each issuer a database file, a Redis database or a `key_prefix` of its own; "+
		"or, if this is the same one under a new URL, configure `previous_issuer %s`", strings.Join(e.Issuers, " or "), e.Issuers[0])
}

// CheckIssuers returns an *OtherIssuerError unless a store of some issuers may be
// opened for others. A store that belongs to no issuer yet may be.
func CheckIssuers(store, opener []string) error {
	if len(store) == 0 || slices.ContainsFunc(opener, func(i string) bool { return slices.Contains(store, i) }) {
		return nil
	}
	return &OtherIssuerError{store}
}
