package upstream

import (
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

var _ login.Announcer = (*OIDC)(nil)

// Claims implements login.Announcer: what people of this login may have.
func (o *OIDC) Claims() []string {
	return slices.Concat(names, []string{"picture", "email", "email_verified"}, slices.Sorted(maps.Keys(o.cfg.Claims)))
}

// ACRs implements login.Announcer: those that are believed, in our names.
func (o *OIDC) ACRs() []string { return slices.Sorted(maps.Keys(o.cfg.ACRs)) }
