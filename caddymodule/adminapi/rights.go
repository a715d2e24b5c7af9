package adminapi

import (
	"cmp"

	"github.com/gatehouse-auth/gatehouse/tokens/admin"
)

// Membership is a group that a user is in, and by what.
type Membership struct {
	Group string `json:"group"`
	By    string `json:"by"` // such as "the provider sends /staff/editors"
}

// Right is something that not everybody may do: sign in to a client, or have a scope of an API.
type Right struct {
	Client string `json:"client,omitempty"`
	API    string `json:"api,omitempty"`
	Scope  string `json:"scope,omitempty"`
	For    string `json:"for,omitempty"` // the rule, as the configuration has it
	Has    bool   `json:"has"`
	Lacks  string `json:"lacks,omitempty"` // why not
	// Granted is of a scope in an Explanation: it was granted at the sign-in.
	Granted *bool `json:"granted,omitempty"`
}

func describeRight(r admin.Right) Right {
	return Right{Client: r.Client, API: r.API, Scope: r.Scope, For: r.For, Has: r.Lacks == "", Lacks: r.Lacks}
}

// what names the right.
func (r Right) what() string {
	if r.Client != "" {
		return "client " + r.Client
	}
	return "scope " + r.Scope + " of " + r.API
}

// state says whether the user has the right, and in tokens that are refreshed, what comes of it.
func (r Right) state() string {
	switch {
	case r.Granted != nil && r.Client != "" && !r.Has:
		return "refused: " + r.Lacks
	case r.Granted != nil && *r.Granted && !r.Has:
		return "left out: " + r.Lacks
	case r.Granted != nil && r.Scope != "" && !*r.Granted && r.Has:
		return "not granted at the sign-in: a new sign-in can bring it"
	case r.Granted != nil && r.Scope != "" && !*r.Granted:
		return "not granted at the sign-in: " + r.Lacks
	case r.Has:
		return "yes"
	}
	return "no: " + r.Lacks
}

func showGroups(p *Printer, groups []Membership) {
	if len(groups) == 0 {
		return
	}
	rows := [][]string{{"GROUP", "BY"}}
	for _, g := range groups {
		rows = append(rows, []string{g.Group, g.By})
	}
	p.Printf("\n")
	p.Table(rows)
}

func showRights(p *Printer, rights []Right) {
	if len(rights) == 0 {
		return
	}
	rows := [][]string{{"NOT FOR EVERYBODY", "FOR", "HAS IT"}}
	for _, r := range rights {
		rows = append(rows, []string{r.what(), cmp.Or(r.For, "-"), r.state()})
	}
	p.Printf("\n")
	p.Table(rows)
}
