package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// A mistyped name must not look like work that was done. So what an action is
// about has to be known, unless `force=true` says that it is meant as it stands:
// somebody who is to be refused before the first login, or a client that is
// configured elsewhere.

// checkUser refuses a subject that nobody knows, with the one that was likely meant.
func (a *adminAPI) checkUser(c *adminCall, subject string) error {
	return a.checkTag(c, tokens.TagSubject(subject), subject)
}

// checkTag is checkUser for a subject or the hash of one, as it was written.
func (a *adminAPI) checkTag(c *adminCall, user tokens.UserTag, written string) error {
	forced, err := c.forced()
	if forced || err != nil {
		return err
	}
	known, err := a.issuer().KnowsUser(c.Context(), user)
	if known || err != nil {
		return coreError(err)
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
	return c.unknownf("no user %q is known: the subjects of people are <login>|<id>, such as local|%s, those of machines %s", written, written, tokens.MachineSubject("<client_id>"))
}

// likelySubject returns a subject that is known and differs from what was
// written in a way that is easily got wrong: without its login, with another
// login, in capitals, a machine without its ending.
func (a *adminAPI) likelySubject(c *adminCall, written string) (string, error) {
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
		for _, l := range a.app.logins {
			candidates = append(candidates, l.Name()+"|"+id)
		}
	}
	candidates = append(candidates, tokens.MachineSubject(name))
	for _, candidate := range candidates {
		known, err := a.issuer().KnowsUser(c.Context(), tokens.TagSubject(candidate))
		if err != nil {
			return "", coreError(err)
		}
		if known {
			return candidate, nil
		}
	}
	return "", nil
}

// checkFamily refuses a family that nobody knows, unless it was found.
func (a *adminAPI) checkFamily(c *adminCall, user tokens.UserTag, found bool) error {
	forced, err := c.forced()
	if found || forced || err != nil {
		return err
	}
	known, err := a.issuer().KnowsFamily(c.Context(), user, c.event.Family)
	if known || err != nil {
		return coreError(err)
	}
	return c.unknownf("no family %s is known: `caddy oauth grants list` shows those that live, and `explain` what became of one.", c.event.Family)
}

// checkClient refuses a client that nobody knows.
func (a *adminAPI) checkClient(c *adminCall, id string) error {
	forced, err := c.forced()
	if forced || err != nil {
		return err
	}
	c.patient()
	known, err := a.issuer().KnowsClient(c.Context(), id)
	if known || err != nil {
		return coreError(err)
	}
	return a.unknownClient(c, id)
}

func (a *adminAPI) unknownClient(c *adminCall, id string) error {
	if near := a.nearClient(id); near != "" {
		return c.unknownf("no client %q is known: did you mean %s?", id, near)
	}
	return c.unknownf("no client %q is known: it is not configured, and nobody is signed in by it", id)
}

// nearClient returns the configured client that a mistyped id most likely means, "" for none.
func (a *adminAPI) nearClient(id string) string {
	near, least := "", 3 // as many slips are another word
	for _, c := range a.issuer().Clients() {
		if slips := slipsBetween(strings.ToLower(id), strings.ToLower(c.ID)); slips < least && slips < len(c.ID) {
			near, least = c.ID, slips
		}
	}
	return near
}

// slipsBetween counts the letters that are missing, too many, wrong, or have
// changed places, from one word to another.
func slipsBetween(a, b string) int {
	if len(a) > 256 || len(b) > 256 {
		return 256
	}
	var before, last []int // the rows before
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last = last, slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			wrong := last[j]
			if a[i] != b[j] {
				wrong++
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, wrong)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// forced reports whether the caller means what was written, known or not.
func (c *adminCall) forced() (bool, error) {
	switch c.get("force") {
	case "":
		return false, nil
	case "true":
		return true, nil
	}
	return false, badRequest("force: write true, or leave it out")
}

// unknownf is the answer to an action about something that nobody knows.
func (c *adminCall) unknownf(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if c.Method != http.MethodGet {
		text += " Nothing was done; --force (force=true) does it all the same"
	}
	return adminError(http.StatusNotFound, errors.New(text))
}
