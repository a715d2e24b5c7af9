package caddymodule

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// grantInfo is one family as operators see it.
type grantInfo struct {
	Family      string     `json:"family"`
	Subject     string     `json:"subject,omitempty"` // where it is not said for the whole list
	Client      string     `json:"client"`
	Created     time.Time  `json:"created"`
	AuthTime    *time.Time `json:"auth_time,omitempty"`
	LastUsed    time.Time  `json:"last_used"`
	Expires     *time.Time `json:"expires,omitempty"`
	IdleExpires *time.Time `json:"idle_expires,omitempty"`
	Generation  uint32     `json:"generation"`
}

// grantList answers GET /oauth/grants, but for a client.
type grantList struct {
	Subject string      `json:"subject"`
	Grants  []grantInfo `json:"grants"`
}

// ended answers what ends grants.
type ended struct {
	Ended    int `json:"ended"`              // refresh token families that lived until now
	Sessions int `json:"sessions,omitempty"` // with `before`
	Users    int `json:"users,omitempty"`    // who were looked at, with `before`
}

// scanned is how far a stream is.
type scanned struct {
	Users      int  `json:"users"`
	Grants     int  `json:"grants"`
	Configured bool `json:"configured"` // the client
}

func (a *adminAPI) listGrants(c *adminCall) (any, error) {
	subject, client, family := c.get("subject"), c.get("client"), c.get("family")
	switch {
	case client != "" && (subject != "" || family != ""):
		return nil, badRequest("client: alone, or a subject or family without it")
	case client != "":
		return a.streamGrants(c, client)
	case family != "":
		return a.findGrant(c, subject, family)
	case subject == "":
		return nil, errNoSubject
	}
	if err := a.checkUser(c, subject); err != nil {
		return nil, err
	}
	families, err := a.issuer().Grants(c.Context(), subject)
	if err != nil {
		return nil, coreError(err)
	}
	return a.list(subject, families), nil
}

var errNoSubject = badRequest("subject: missing; it is the `sub` of the tokens, such as local|alice")

func (a *adminAPI) list(subject string, families []tokens.Family) grantList {
	list := grantList{Subject: subject, Grants: make([]grantInfo, 0, len(families))}
	for _, f := range families {
		list.Grants = append(list.Grants, a.describe(f))
	}
	return list
}

// streamGrants brings the grants of a client as they are found.
func (a *adminAPI) streamGrants(c *adminCall, client string) (any, error) {
	stream := c.begin()
	var n scanned
	_, n.Configured = a.issuer().Client(client)
	err := a.operator().ScanGrants(c.Context(), client, func(users int) {
		n.Users = users
		stream.progress(n)
	}, func(g tokens.UserGrants) error {
		for _, f := range g.Families {
			info := a.describe(f)
			info.Subject = g.Subject
			if n.Grants++; info.Subject == "" {
				info.Subject = unnamed(g.User)
			}
			if err := stream.line("grant", info); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && n.Grants == 0 && !n.Configured {
		return nil, a.unknownClient(c, client)
	}
	return n, coreError(err)
}

// unnamed is what stands for a subject whose profile is gone.
func unnamed(user tokens.UserTag) string { return "(user " + user.String() + ")" }

// findGrant finds one family, with a scan when nobody says whose it is.
func (a *adminAPI) findGrant(c *adminCall, subject, family string) (any, error) {
	g, found, err := a.lookUp(c, subject, family)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, adminError(http.StatusNotFound, fmt.Errorf("no grant with the family %s lives; `explain` tells what became of it", family))
	}
	if g.Subject == "" {
		g.Subject = unnamed(g.User)
	}
	return a.list(g.Subject, g.Families), nil
}

func (a *adminAPI) lookUp(c *adminCall, subject, family string) (g tokens.UserGrants, found bool, err error) {
	id, ok := tokens.ParseFamilyID(family)
	if !ok {
		return g, false, badRequest("family: not a family id as GET /oauth/grants lists them")
	}
	if subject == "" {
		g, found, err = a.operator().FindGrant(c.Context(), id)
		return g, found, coreError(err)
	}
	if err := a.checkUser(c, subject); err != nil {
		return g, false, err
	}
	all, err := a.issuer().Grants(c.Context(), subject)
	i := slices.IndexFunc(all, func(f tokens.Family) bool { return f.ID == id })
	if err != nil || i < 0 {
		return g, false, coreError(err)
	}
	return tokens.UserGrants{User: tokens.TagSubject(subject), Subject: subject, Families: all[i : i+1]}, true, nil
}

func (a *adminAPI) describe(f tokens.Family) grantInfo {
	client := a.issuer().ClientOf(f)
	if client == "" {
		client = "(removed) " + hex.EncodeToString(f.Client[:])
	}
	return grantInfo{
		Family:      f.ID.String(),
		Client:      client,
		Created:     f.Created.UTC(),
		AuthTime:    optionalTime(f.AuthTime),
		LastUsed:    f.Rotated.UTC(),
		Expires:     optionalTime(f.Expires),
		IdleExpires: optionalTime(f.IdleExpires),
		Generation:  f.Generation,
	}
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (a *adminAPI) endGrants(c *adminCall) (any, error) {
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
	result, err := a.operator().EndUser(c.Context(), subject)
	if err != nil {
		return nil, coreError(err)
	}
	return ended{Ended: len(result.Families)}, nil
}

func (a *adminAPI) endFamily(c *adminCall, subject string) (any, error) {
	g, found, err := a.lookUp(c, subject, c.get("family"))
	if err != nil {
		return nil, err
	}
	c.event.Family, _ = tokens.ParseFamilyID(c.get("family"))
	if subject != "" {
		g.User = tokens.TagSubject(subject)
	}
	c.event.User = g.User
	if err := a.checkFamily(c, g.User, found); err != nil {
		return nil, err
	}
	if !found && subject == "" {
		return ended{}, nil // nobody has it any more
	}
	if err := a.issuer().EndGrant(c.Context(), g.User, c.event.Family, ""); err != nil {
		return nil, coreError(err)
	}
	if !found {
		return ended{}, nil
	}
	return ended{Ended: 1}, nil
}

// endBegun ends what comes from logins until a time.
func (a *adminAPI) endBegun(c *adminCall, subject string) (any, error) {
	client, everyone, family := c.get("client"), c.get("everyone"), c.get("family")
	before, err := time.Parse(time.RFC3339, c.get("before"))
	switch {
	case err != nil:
		return nil, badRequest("before: not a time; write it as 2026-11-01T00:00:00Z")
	case before.After(time.Now()):
		return nil, badRequest("before: %s has not come yet", before.Format(time.RFC3339))
	case everyone != "" && everyone != "true":
		return nil, badRequest("everyone: write true, or leave it out")
	case family != "":
		return nil, badRequest("family: it is one; end it without `before`")
	case everyone == "true" && (subject != "" || client != ""):
		return nil, badRequest("everyone: leaves nobody out, so name neither a subject nor a client")
	case everyone == "" && subject == "" && client == "":
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
	done, err := a.operator().EndBegun(c.Context(), tokens.Ends{Subject: subject, Client: client, Before: before}, func(e tokens.Ended) {
		stream.progress(endedInfo(e))
	})
	return endedInfo(done), coreError(err)
}

func endedInfo(e tokens.Ended) ended {
	return ended{Ended: e.Families, Sessions: e.Sessions, Users: e.Users}
}

// endedClient answers POST /oauth/clients/<id>/end.
type endedClient struct {
	Client     string `json:"client"`
	Configured bool   `json:"configured"` // it may have been, or is elsewhere
}

func (a *adminAPI) endClient(c *adminCall) (any, error) {
	c.event.Client = c.name
	c.patient()
	if err := a.checkClient(c, c.name); err != nil {
		return nil, err
	}
	if err := a.operator().EndClient(c.Context(), c.name); err != nil {
		return nil, coreError(err)
	}
	_, configured := a.issuer().Client(c.name)
	return endedClient{Client: c.name, Configured: configured}, nil
}
