package adminapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// A mistyped name must not look like work that was done. So what an action is
// about has to be known, unless `force=true` says that it is meant as it stands:
// somebody who is to be refused before the first login, or a client that is
// configured elsewhere.

// checkUser refuses a subject that nobody knows, with the one that was likely meant.
func (a *API) checkUser(c *call, subject string) error {
	return a.checkTag(c, storage.TagSubject(subject), subject)
}

// checkTag is checkUser for a subject or the hash of one, as it was written. To change
// something for a subject that signs in as another one would do nothing.
func (a *API) checkTag(c *call, user storage.UserTag, written string) error {
	forced, err := c.yes(forceName)
	if err != nil {
		return err
	}
	switch to, err := a.Operator.MovedTo(c.Context(), user); {
	case err != nil:
		return err
	case to != "" && c.Method == http.MethodGet:
		return nil
	case to != "":
		return refusal(http.StatusConflict, fmt.Errorf("%s signs in as %s, by `users move`: name that one", written, to))
	}
	if forced && !c.strict {
		return nil
	}
	known, err := a.Operator.KnowsUser(c.Context(), user)
	if known || err != nil {
		return err
	}
	meant, err := a.likelySubject(c, written)
	switch {
	case err != nil:
		return err
	case meant != "":
		return c.unknownf("no user %q is known: did you mean %s?", written, meant)
	case strings.Contains(written, "|") || strings.HasSuffix(written, tokens.MachineSubject("")):
		return c.unknownf("no user %q is known: nobody of that subject is configured, or has signed in lately", written)
	}
	example := a.listedSubject(func(names []string) string { return strings.Join(names[:min(len(names), 1)], "") })
	if example != "" {
		example = ", such as " + example
	}
	return c.unknownf("no user %q is known: the subjects of people are <login>|<id>%s, those of machines %s", written, example, tokens.MachineSubject("<client_id>"))
}

// likelySubject returns a subject that is known and differs from what was
// written in a way that is easily got wrong: without its login, with another
// login, in capitals, a machine without its ending.
func (a *API) likelySubject(c *call, written string) (string, error) {
	var candidates []string
	if client, ok := strings.CutSuffix(written, tokens.MachineSubject("")); ok {
		if near := a.nearClient(client); near != "" {
			candidates = append(candidates, tokens.MachineSubject(near))
		}
	}
	_, name, found := strings.Cut(written, "|")
	if !found {
		name = written
	}
	for _, id := range []string{name, strings.ToLower(name), strings.TrimSpace(name)} {
		for _, l := range a.Logins {
			candidates = append(candidates, l.Name()+"|"+id)
		}
	}
	candidates = append(candidates, tokens.MachineSubject(name))
	for _, candidate := range candidates {
		known, err := a.Operator.KnowsUser(c.Context(), storage.TagSubject(candidate))
		if err != nil {
			return "", err
		}
		if known {
			return candidate, nil
		}
	}
	return a.listedSubject(func(names []string) string { return nearest(strings.TrimSpace(name), names) }), nil
}

// listedSubject returns the subject of a user whom some login lists, "" for none.
func (a *API) listedSubject(choose func(names []string) string) string {
	for _, l := range a.Logins {
		if lister, ok := l.(login.Lister); ok {
			if name := choose(lister.Users()); name != "" {
				return lister.Subject(name)
			}
		}
	}
	return ""
}

// checkFamily refuses a family that nobody knows, unless it was found.
func (a *API) checkFamily(c *call, user storage.UserTag, found bool) error {
	forced, err := c.yes(forceName)
	if found || forced || err != nil {
		return err
	}
	known, err := a.Operator.KnowsFamily(c.Context(), user, c.event.Family)
	if known || err != nil {
		return err
	}
	return c.unknownf("no family %s is known: `caddy oauth grants list` shows those that live, and `explain` what became of one.", c.event.Family)
}

// checkClient refuses a client that nobody knows.
func (a *API) checkClient(c *call, id string) error {
	forced, err := c.yes(forceName)
	if forced || err != nil {
		return err
	}
	c.patient()
	known, err := a.Operator.KnowsClient(c.Context(), id)
	if known || err != nil {
		return err
	}
	return a.unknownClient(c, id)
}

func (a *API) unknownClient(c *call, id string) error {
	if near := a.nearClient(id); near != "" {
		return c.unknownf("no client %q is known: did you mean %s?", id, near)
	}
	return c.unknownf("no client %q is known: it is not configured, and nobody is signed in by it", id)
}

// nearClient returns the configured client that a mistyped id most likely means, "" for none.
func (a *API) nearClient(id string) string {
	clients := a.Issuer.Clients()
	ids := make([]string, len(clients))
	for i, c := range clients {
		ids[i] = c.ID
	}
	return nearest(id, ids)
}

const forceName = "force"

// ForceHint ends the error of an action that may be forced. On the command line it
// is a flag.
const ForceHint = forceName + "=true does it anyway"

// unknownf is the answer to an action about something that nobody knows.
func (c *call) unknownf(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if c.Method != http.MethodGet {
		if !strings.HasSuffix(text, "?") && !strings.HasSuffix(text, ".") {
			text += "."
		}
		text += " Nothing was done"
		if !c.strict {
			text += "; " + ForceHint
		}
	}
	return refusal(http.StatusNotFound, errors.New(text))
}
