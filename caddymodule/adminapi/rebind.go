package adminapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// rebound answers what says that the people of a login are those of its provider of now.
type rebound struct {
	Login   string `json:"login"`
	DryRun  bool   `json:"dry_run,omitempty"`
	Users   int    `json:"users"`   // who were looked at
	Bound   int    `json:"bound"`   // to the provider of now, by this call
	Already int    `json:"already"` // of this login, who had signed in there, or were bound before
}

func (a *API) rebindLogin(c *call) (any, error) {
	if err := c.dryRun(); err != nil {
		return nil, err
	}
	l, err := a.atProvider(c.name)
	if err != nil {
		return nil, err
	}
	c.event.Login = c.name
	issuer := c.get("from-issuer")
	what := admin.Rebinding{Login: c.name, From: l.FingerprintOf(issuer, strings.Fields(c.get("from-subject"))), To: l.Fingerprint(storage.UserTag{}), DryRun: c.dry}
	switch {
	case issuer == "":
		return nil, badRequest("from-issuer: missing; name the issuer that the login had before")
	case what.From == what.To:
		return nil, badRequest("from-issuer: the login %s has that issuer and those subject claims now: name what it had before", c.name)
	}
	stream := c.begin()
	answer := func(r admin.Rebound) rebound {
		return rebound{Login: c.name, DryRun: c.dry, Users: r.Users, Bound: r.Bound, Already: r.Already}
	}
	done, err := a.Operator.Rebind(c.Context(), what, func(r admin.Rebound) { stream.progress(answer(r)) })
	if err == nil && done.Bound == 0 {
		err = refusal(http.StatusNotFound, nobodyToRebind(c.name, issuer, done))
	}
	return answer(done), err
}

func nobodyToRebind(name, issuer string, done admin.Rebound) error {
	return fmt.Errorf("nobody who came by the login %s has it from %s, of %s; %d have it as it is configured now. "+
		"Write the issuer exactly as it was configured, and the claims of `subject` as --from-subject if they were others", name, issuer, Users(done.Users), done.Already)
}

// checkRebind demands the issuer of before.
func checkRebind(asked url.Values) error {
	if !asked.Has("from-issuer") {
		return errors.New("name the issuer that the login had before, by --from-issuer")
	}
	return nil
}

func showRebound(p *Printer, _ url.Values, answer rebound) {
	if answer.DryRun {
		p.Printf("nothing was done; without --dry-run:\n")
	}
	p.Printf("bound to the provider that %s has now: %s; %d were before; %s looked at\n", answer.Login, Users(answer.Bound), answer.Already, Users(answer.Users))
}

func rebindProgress(at rebound) string {
	return fmt.Sprintf("%s looked at, %d bound", Users(at.Users), at.Bound)
}
