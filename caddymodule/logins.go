package caddymodule

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// maxACRs is how many values of acr the logins may have together: each is part of
// what is kept of a sign-in.
const maxACRs = 16

// checkLogins checks what is common to all login modules, and that no two get in each
// other's way. Each checks the rest itself. See M23 and C6 of the design: two at one client of one issuer could not be told apart, and an
// address that two may assert is nobody's.
func (a *App) checkLogins() error {
	names, clientsOf, domains, acrs := make(map[string]bool), make(map[string]string), make(map[string]string), make(map[string]bool)
	for _, l := range readLogins(a.LoginsRaw) {
		if err := grammar.FirstOf(
			func() error { return checkLoginName(l.Name) },
			func() error { return l.checkAlone(names, a.Issuer) },
			func() error { return l.checkClient(clientsOf) },
			func() error { return l.checkDomains(domains) },
			func() error { return l.checkACRs(acrs) },
		); err != nil {
			return grammar.Within(l.block(), err)
		}
	}
	return nil
}

func (l anyLogin) checkAlone(names map[string]bool, issuer string) error {
	if names[l.Name] {
		return grammar.Wrong("", "duplicate name: give each login its own, as in `login local staff`; it is part of its users' subjects")
	}
	names[l.Name] = true
	if l.Issuer != "" && l.Issuer == issuer {
		return grammar.Wrong("", "its issuer is this server itself: write that of the provider")
	}
	return nil
}

func (l anyLogin) checkClient(before map[string]string) error {
	if l.Issuer == "" {
		return nil
	}
	key := l.Issuer + "\x00" + l.ClientID
	if other, taken := before[key]; taken {
		return grammar.Wrong("", "it has the issuer and the client_id of login %s, so that answers for one could be given to the other: keep one, or register another client there", other)
	}
	before[key] = l.Name
	return nil
}

func (l anyLogin) checkDomains(before map[string]string) error {
	for _, domain := range l.EmailDomains {
		if other, taken := before[domain]; taken && other != l.Name {
			return grammar.Wrong("", "login %s may assert addresses of %s, too: leave the domain to one of them", other, domain)
		}
		before[domain] = l.Name
	}
	return nil
}

func (l anyLogin) checkACRs(before map[string]bool) error {
	for ours := range l.ACRs {
		before[ours] = true
	}
	if len(before) > maxACRs {
		return grammar.Wrong("", "with its acr lines there are %d values of acr: take at most %d for all logins together", len(before), maxACRs)
	}
	return nil
}

// readLogin reads a login of a module, or of a preset of one.
func (a *App) readLogin(g *grammar.Reader) error {
	raw, err := g.Module("oauth.logins", presetModules(), func(raw json.RawMessage) string { return readAnyLogin(raw).block() })
	a.LoginsRaw = append(a.LoginsRaw, raw)
	return err
}

// presetModules are the modules that the words of presets stand for.
func presetModules() map[string]string {
	modules := make(map[string]string, len(presets))
	for word := range presets {
		modules[word] = "oidc"
	}
	return modules
}

// checkLogins checks by which logins people may sign in to the client.
func (c *Client) checkLogins(raws []json.RawMessage) error {
	names := make(map[string]bool)
	for _, raw := range raws {
		names[nameOfLogin(raw)] = true
	}
	return checkEach("logins", c.Logins, func(name string) error {
		if !names[name] {
			return fmt.Errorf("is not configured: write one of %s", strings.Join(slices.Sorted(maps.Keys(names)), ", "))
		}
		return nil
	})
}

// finder is a login that finds what in itself may not be meant so.
type finder interface {
	block() string
	findings() []string
}

// loginFindings are what of the logins may not be meant so.
func (a *App) loginFindings() (found []Finding) {
	for _, module := range a.loginModules {
		if l, ok := module.(finder); ok {
			for _, text := range l.findings() {
				found = append(found, Finding{SeverityWarning, l.block(), text, "", nil})
			}
		}
	}
	return found
}
