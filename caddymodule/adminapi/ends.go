package adminapi

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// ended answers what ends grants.
type ended struct {
	Ended    int `json:"ended"`              // refresh token families that lived until now
	Sessions int `json:"sessions,omitempty"` // with `before`
	Users    int `json:"users,omitempty"`    // who were looked at, with `before`
}

func (a *API) endGrants(c *call) (any, error) {
	subject, query := c.get("subject"), c.URL.Query()
	c.event.Subject = subject
	switch {
	case query.Has("before"):
		return a.endBegun(c, subject)
	case query.Has("client"), query.Has("everyone"):
		return nil, badRequest("before: missing; to end all that a client holds, POST to /oauth/clients/<id>/end")
	case query.Has("family"):
		return a.endFamily(c, subject)
	case subject == "":
		return nil, errNoSubject
	}
	if err := a.checkUser(c, subject); err != nil {
		return nil, err
	}
	result, err := a.Operator.EndUser(c.Context(), subject)
	return ended{Ended: len(result.Families)}, err
}

func (a *API) endFamily(c *call, subject string) (any, error) {
	g, found, err := a.lookUp(c, subject, c.get("family"))
	if err != nil {
		return nil, err
	}
	c.event.Family, _ = storage.ParseFamilyID(c.get("family"))
	if subject != "" {
		g.User = storage.TagSubject(subject)
	}
	c.event.User = g.User
	if err := a.checkFamily(c, g.User, found); err != nil {
		return nil, err
	}
	if !found && subject == "" {
		return ended{}, nil // nobody has it any more
	}
	return ended{Ended: len(g.Families)}, a.Issuer.EndGrant(c.Context(), g.User, c.event.Family, "")
}

// endBegun ends what comes from logins until a time.
func (a *API) endBegun(c *call, subject string) (any, error) {
	client, family := c.get("client"), c.get("family")
	everyone, wrong := c.yes("everyone")
	before, err := time.Parse(time.RFC3339, c.get("before"))
	switch {
	case err != nil:
		return nil, badRequest("before: not a time; write it as 2026-11-01T00:00:00Z")
	case before.After(time.Now()):
		return nil, badRequest("before: %s is in the future", before.Format(time.RFC3339))
	case wrong != nil:
		return nil, wrong
	case family != "":
		return nil, badRequest("family: names one login; end it without `before`")
	case everyone && (subject != "" || client != ""):
		return nil, badRequest("everyone: leaves nobody out, so name neither a subject nor a client")
	case !everyone && subject == "" && client == "":
		return nil, badRequest("subject: missing; name a subject, a client, or everyone=true")
	}
	c.event.Client = client
	if subject != "" {
		err = a.checkUser(c, subject)
	}
	if err == nil && client != "" {
		err = a.checkClient(c, client)
	}
	if err != nil {
		return nil, err
	}
	stream := c.begin()
	done, err := a.Operator.EndBegun(c.Context(), admin.Ends{Subject: subject, Client: client, Before: before}, func(e admin.Ended) {
		stream.progress(endedInfo(e))
	})
	return endedInfo(done), err
}

func endedInfo(e admin.Ended) ended {
	return ended{Ended: e.Families, Sessions: e.Sessions, Users: e.Users}
}

// endedClient answers POST /oauth/clients/<id>/end.
type endedClient struct {
	Client     string `json:"client"`
	Configured bool   `json:"configured"` // it may have been, or is elsewhere; or it is one that nobody registered
	Blocked    bool   `json:"blocked,omitempty"`
}

func (a *API) endClient(c *call) (any, error) {
	c.event.Client = c.name
	c.patient()
	if err := a.checkClient(c, c.name); err != nil {
		return nil, err
	}
	block, err := c.yes("block")
	if err == nil && block {
		err = a.blockClient(c, true) // first: else it begins again
	}
	if err != nil {
		return nil, err
	}
	_, unknown := a.Issuer.Client(c.Context(), c.name)
	configured := unknown == nil || a.Issuer.TagOf(c.name).Unregistered()
	return endedClient{Client: c.name, Configured: configured, Blocked: block}, a.Operator.EndClient(c.Context(), c.name)
}

const slowEnd = "waiting until every gateway must have heard of the end: over a Redis Cluster that takes some seconds longer than max_lag. " +
	"Before it is confirmed, something may slip past it"

// checkEnd demands what is to be ended.
func checkEnd(asked url.Values) error {
	switch {
	case asked.Has("before"):
		return nil
	case asked.Has("client"):
		return fmt.Errorf("--client needs --before; to end all that a client holds: caddy oauth clients end %s", asked.Get("client"))
	case asked.Has("everyone"):
		return errors.New("--everyone needs --before; to end all that anybody has until now: caddy oauth everyone end --yes")
	case !asked.Has("subject") && !asked.Has("family"):
		return errors.New("name a subject, such as 'local|alice', or a --family")
	}
	return nil
}

// showEnded says what became of a request to end logins until a time, a subject's grants, or a family.
func showEnded(p *Printer, asked url.Values, answer ended) {
	family := asked.Get("family")
	switch {
	case asked.Has("before"):
		p.Printf("ended: %s and %s; %s looked at\n", Sessions(answer.Sessions), Families(answer.Ended), Users(answer.Users))
	case family == "":
		p.Printf("ended: %s, the sessions, and every access token\n", Families(answer.Ended))
	case answer.Ended > 0:
		p.Printf("ended: %s and its access tokens\n", Families(answer.Ended))
	case !asked.Has("subject"): // nobody could be found to have it, so nothing was denied
		p.Printf("%s had ended already\n", family)
	default:
		p.Printf("%s had ended already; its access tokens are refused\n", family)
	}
}

func endProgress(at ended) string {
	return fmt.Sprintf("%s looked at, %s and %s ended", Users(at.Users), Sessions(at.Sessions), Families(at.Ended))
}

func showEndedClient(p *Printer, _ url.Values, answer endedClient) {
	if !answer.Configured {
		p.Note("no client %q is configured here; what it held has ended anyway", answer.Client)
	}
	p.Printf("ended: everything that %s held\n", answer.Client)
	if answer.Blocked {
		p.Printf("blocked: nobody signs in to it any more, until `caddy oauth clients unblock`\n")
	}
}

// endedEveryone answers POST /oauth/everyone/end.
type endedEveryone struct {
	Until time.Time `json:"until"` // what was begun or issued at or before it is over
}

func (a *API) endEveryone(c *call) (any, error) {
	c.patient()
	until, err := a.Operator.EndEveryone(c.Context())
	return endedEveryone{Until: until.UTC()}, err
}

const confirmEveryone = "this signs everybody out, on all nodes and for good: it ends every session, code, refresh token and access token " +
	"that was begun or issued until now, those of machines too"

func showEndedEveryone(p *Printer, _ url.Values, answer endedEveryone) {
	p.Printf("ended: everything that anybody had until %s\n", answer.Until.Format(time.RFC3339))
}
