package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Membership is a group that a person is in, and by what.
type Membership struct{ Group, By string }

// Right is something that not everybody may do: sign in to a client, or have a scope of an
// API. One of Client and Scope is set.
type Right struct {
	Client     string // the client_id
	API, Scope string
	For        string // the rule, as the configuration has it; "" where none is of groups
	Lacks      string // why the person may not, in words; "" where they may
}

// groupsOf returns the groups that somebody is in, in order.
func (o *Operator) groupsOf(user storage.UserTag, subject string, kept []storage.GroupTag) []Membership {
	why, groups := o.cfg.People.Why(user, loginOf(subject), kept), o.cfg.People.Of(user, kept)
	all := make([]Membership, 0, len(groups))
	for _, group := range groups {
		all = append(all, Membership{group, why[group]})
	}
	return all
}

// loginOf is the login of a subject, "" where none is known.
func loginOf(subject string) string {
	login, _, _ := strings.Cut(subject, "|")
	return login
}

// rightsOf returns what the configuration gives to some people only, and whether somebody has it.
func (o *Operator) rightsOf(user storage.UserTag, subject string, kept []storage.GroupTag) []Right {
	groups, login := o.cfg.People.Of(user, kept), loginOf(subject)
	var all []Right
	for _, c := range o.cfg.Clients {
		if c.Type != clients.Machine && len(c.For)+len(c.Logins) > 0 {
			all = append(all, clientRight(c, groups, login))
		}
	}
	for _, api := range o.cfg.APIs {
		all = append(all, scopeRights(api, groups)...)
	}
	return all
}

func clientRight(c *clients.Client, groups []string, login string) Right {
	r := Right{Client: c.ID, For: c.For.String(), Lacks: lacks(c.For, groups)}
	if r.Lacks == "" && login != "" && !c.Admits(login) {
		r.Lacks = fmt.Sprintf("it does not take people of login %s", login)
	}
	return r
}

func scopeRights(api *clients.API, groups []string) []Right {
	var all []Right
	for _, scope := range api.Scopes {
		if rule, ok := api.ScopeFor[scope]; ok {
			all = append(all, Right{API: api.Identifier, Scope: scope, For: rule.String(), Lacks: lacks(rule, groups)})
		}
	}
	return all
}

// lacks says which line of a rule does not hold.
func lacks(rule people.Rule, groups []string) string {
	missing := rule.Missing(groups)
	switch len(missing) {
	case 0:
		return ""
	case 1:
		return "the person is not in " + missing[0]
	}
	return "the person is in none of " + strings.Join(missing, ", ")
}

// GrantRight is a Right that a family's tokens may have.
type GrantRight struct {
	Right

	Granted bool // a scope: at the sign-in
}

// grantRights returns which rules bear on the tokens of a family: that of its client, and
// those of the scopes of its APIs.
func (o *Operator) grantRights(ctx context.Context, f storage.Family, user storage.UserTag, p storage.Profile) ([]GrantRight, error) {
	var all []GrantRight
	groups := o.cfg.People.Of(user, p.Person.Groups)
	c, known := o.issuer.Tagged(f.Client)
	if known && len(c.For)+len(c.Logins) > 0 {
		all = append(all, GrantRight{clientRight(c, groups, loginOf(p.Subject)), true})
	}
	text, err := o.state.Store.Grant(ctx, f.Grant)
	if err != nil || text == nil {
		return all, unavailable(err)
	}
	var grant storage.Grant
	if err := json.Unmarshal(text, &grant); err != nil {
		return nil, oauth.Unavailable(fmt.Errorf("reading grant: %w", err))
	}
	for _, audience := range grant.Audiences {
		api, ok := o.issuer.API(audience)
		if !ok {
			continue
		}
		for _, r := range scopeRights(api, groups) {
			if !known || len(c.Scopes) == 0 || slices.Contains(c.Scopes, r.Scope) {
				all = append(all, GrantRight{r, slices.Contains(grant.Scopes, r.Scope)})
			}
		}
	}
	return all, nil
}

// addRights adds the rules that bear on the tokens of a family that lives, and what they
// say of it now, which the history does not know: they change without it.
func (o *Operator) addRights(ctx context.Context, e *Explanation, user storage.UserTag, p storage.Profile) (err error) {
	e.Rights, err = o.grantRights(ctx, *e.Live, user, p)
	switch closed := slices.ContainsFunc(e.Rights, func(r GrantRight) bool { return r.Client != "" && r.Lacks != "" }); {
	case closed:
		e.Verdict = VerdictNotAllowed
	case e.Verdict == VerdictNotAllowed:
		e.Verdict = VerdictAlive
	}
	return err
}

// unavailable is oauth.Unavailable, and nil for nil.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return oauth.Unavailable(err)
}
