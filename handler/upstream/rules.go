package upstream

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// String writes the rule as in the configuration.
func (r Rule) String() string {
	values := strings.Join(r.Values, " ")
	switch r.Kind {
	case AllowAnyone:
		return "allow anyone"
	case AllowEmailVerified:
		return "allow email_verified true"
	case AllowEmail:
		return "allow email " + values
	case AllowEmailDomain:
		return "allow email_domain " + values
	case AllowGroup:
		return "allow group " + values
	case AllowSubject:
		return "allow sub " + values
	case AllowClaim:
		return "allow " + r.Claim + " " + values
	}
	return "allow"
}

// verdict is what a rule says of somebody.
type verdict uint8

const (
	holds   verdict = iota + 1
	fails           // it does not hold
	unclear         // the provider has not told what it needs
)

// judge evaluates one rule.
func (r Rule) judge(who *login.Arrival, mail email, f *facts) verdict {
	switch r.Kind {
	case AllowAnyone:
		return holds
	case AllowSubject:
		return verdictOf(slices.Contains(r.Values, who.ID))
	case AllowGroup:
		if slices.ContainsFunc(r.Values, func(group string) bool { return slices.Contains(who.Groups, group) }) {
			return holds
		}
		if who.GroupsUnknown {
			return unclear
		}
		return fails
	case AllowClaim:
		value, ok := f.get(r.Claim)
		if !ok {
			return unclear
		}
		return verdictOf(claimHas(value, r.Values))
	case AllowEmailVerified, AllowEmail, AllowEmailDomain:
		return r.judgeEmail(mail)
	}
	return fails
}

// judgeEmail evaluates the rules of addresses: each wants one that is verified.
func (r Rule) judgeEmail(mail email) verdict {
	switch {
	case mail.address == "" || !mail.said:
		return unclear
	case !mail.verified:
		return fails
	case r.Kind == AllowEmail:
		return verdictOf(slices.ContainsFunc(r.Values, func(address string) bool { return foldASCII(address) == foldASCII(mail.address) }))
	case r.Kind == AllowEmailDomain:
		return verdictOf(slices.ContainsFunc(r.Values, func(domain string) bool { return inDomain(mail.domain, domain) }))
	}
	return holds
}

func verdictOf(ok bool) verdict {
	if ok {
		return holds
	}
	return fails
}

// claimHas reports whether a claim is one of the values, or a list that holds one.
func claimHas(value any, values []string) bool {
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, func(member any) bool {
			text, ok := scalarText(member)
			return ok && slices.Contains(values, text)
		})
	}
	text, ok := scalarText(value)
	return ok && slices.Contains(values, text)
}

// allow decides whether somebody may come in: all lines must hold. In a recheck, what the
// provider has not told refuses nobody who was let in before: it is a FailedDown.
func (c *Config) allow(who *login.Arrival, mail email, f *facts, recheck bool) error {
	missing := ""
	for _, rule := range c.Allow {
		found := rule.judge(who, mail, f)
		if found == holds {
			continue
		}
		reason := reasonNotAllowed
		if rule.Kind == AllowGroup && found == unclear {
			reason = reasonGroupsUnknown
		}
		if found == unclear && recheck {
			missing = rule.String()
			continue
		}
		return &login.FailedError{
			Failure: login.FailedNotAllowed, Reason: reason, Rule: rule.String(), ID: who.ID, Account: accountOf(who, mail),
			Cause: fmt.Errorf("deciding who comes in: `%s` does not hold", rule),
		}
	}
	if missing != "" {
		return failed(login.FailedDown, reasonUserinfo, fmt.Errorf("deciding who comes in: the provider has not told what `%s` needs", missing))
	}
	return nil
}

// accountOf names somebody to themselves.
func accountOf(who *login.Arrival, mail email) string {
	if mail.address != "" {
		return mail.address
	}
	for _, claim := range []string{"preferred_username", "name"} {
		if name := textOf(who.Claims[claim]); name != "" {
			return name
		}
	}
	return who.ID
}
