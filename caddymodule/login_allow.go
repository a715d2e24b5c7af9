package caddymodule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/upstream"
)

// AllowRule is one condition for signing in through a login.
type AllowRule struct {
	// What to check: `anyone`, `email_verified`, `email`, `email_domain`, `group`, `sub`, or
	// `claim`. An address counts only if it is verified. A `group` is the provider's name for
	// it, and `sub` is the part of the subject after the bar. Default: none, it is required.
	What string `json:"what,omitempty"`

	// The provider's claim to check with `claim`. A dot steps into an object. Default: none.
	Claim string `json:"claim,omitempty"`

	// The values, at least one of which must match. A domain that begins with `*.` stands for
	// its subdomains. Default: none; all but `anyone` and `email_verified` require one.
	Values []string `json:"values,omitempty"`
}

// allowKinds are the words of AllowRule.What.
var allowKinds = map[string]upstream.RuleKind{
	"anyone":         upstream.AllowAnyone,
	"email_verified": upstream.AllowEmailVerified,
	"email":          upstream.AllowEmail,
	"email_domain":   upstream.AllowEmailDomain,
	"group":          upstream.AllowGroup,
	"sub":            upstream.AllowSubject,
	"claim":          upstream.AllowClaim,
}

const allowUsage = "write `allow email_domain example.com`, or one of anyone, email_verified true, email, group, sub, claim <name>"

// addAllow reads an allow line.
func (p *ProviderLogin) addAllow(args []string) error {
	rule := &AllowRule{What: args[0], Values: args[1:]}
	p.Allow = append(p.Allow, rule)
	switch rule.What {
	case "email_verified":
		if !slices.Equal(rule.Values, []string{"true"}) {
			return errors.New("email_verified is there to be demanded: write `allow email_verified true`")
		}
		rule.Values = nil
	case "claim":
		if len(rule.Values) > 0 {
			rule.Claim, rule.Values = rule.Values[0], rule.Values[1:]
		}
	}
	return nil
}

// checkAllow checks the rules, alone and together.
func (p *ProviderLogin) checkAllow() error {
	for _, rule := range p.Allow {
		if rule == nil {
			return grammar.Wrong("allow", "there is a null in the list: leave it out")
		}
		if err := rule.check(); err != nil {
			return err
		}
		if allowKinds[rule.What] == upstream.AllowAnyone && len(p.Allow) > 1 {
			return grammar.Wrong("allow", "`allow anyone` stands beside other lines, which all have to hold: leave it out, or those")
		}
	}
	return nil
}

// check finds what is wrong with one rule.
func (r *AllowRule) check() error {
	kind, ok := allowKinds[r.What]
	if !ok {
		return grammar.WrongValue("allow", r.What, "is not known: %s", allowUsage)
	}
	if (kind == upstream.AllowClaim) != (r.Claim != "") {
		return grammar.Wrong("allow", "the name of a claim belongs to `claim`, and only there: write `allow claim <name> <value...>`")
	}
	if bare := kind == upstream.AllowAnyone || kind == upstream.AllowEmailVerified; bare != (len(r.Values) == 0) {
		if bare {
			return grammar.Wrong("allow", "`%s` takes no values: leave them out", r.What)
		}
		return grammar.Wrong("allow", "`%s` has no value: write one (a {$NAME} that is not set leaves none)", r.What)
	}
	return checkEach("allow", r.Values, func(value string) error {
		switch kind {
		case upstream.AllowEmail:
			return checkAddress(value)
		case upstream.AllowEmailDomain:
			return checkDomain(strings.TrimPrefix(value, "*."))
		case upstream.AllowSubject:
			return checkSubjectID(value)
		default:
			return plainText(value)
		}
	})
}

func (r *AllowRule) core() upstream.Rule {
	return upstream.Rule{Kind: allowKinds[r.What], Claim: r.Claim, Values: r.Values}
}

// maxSubjectID is how long what the provider calls a person may be, in bytes.
const maxSubjectID = 255

// checkSubjectID checks the second half of a subject.
func checkSubjectID(id string) error {
	if err := plainText(id); err != nil {
		return err
	}
	if len(id) > maxSubjectID || strings.ContainsFunc(id, unicode.IsControl) {
		return fmt.Errorf("cannot be a subject: it has at most %d bytes, and no control characters", maxSubjectID)
	}
	return nil
}

// domainName is a domain in the form in which addresses are compared.
var domainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)

// checkDomain checks the domain of an e-mail address.
func checkDomain(domain string) error {
	switch {
	case domainName.MatchString(domain):
		return nil
	case domainName.MatchString(strings.ToLower(domain)):
		return fmt.Errorf("has capitals: write %s", strings.ToLower(domain))
	}
	return errors.New("is not the domain of an e-mail address: write what follows the @, such as example.com, with xn-- for letters outside of ASCII")
}

// checkAddress checks a whole e-mail address.
func checkAddress(address string) error {
	name, domain, found := strings.Cut(address, "@")
	if !found || name == "" || strings.ContainsAny(address, " \"<>,") || !domainName.MatchString(strings.ToLower(domain)) {
		return errors.New("is not an address: write it as alice@example.com")
	}
	return nil
}
