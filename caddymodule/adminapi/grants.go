package adminapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Grant is one family as operators see it.
type Grant struct {
	ClientName

	Family      string    `json:"family"`
	Subject     string    `json:"subject,omitempty"` // where it is not said for the whole list
	Created     time.Time `json:"created"`
	AuthTime    time.Time `json:"auth_time,omitzero"`
	LastUsed    time.Time `json:"last_used"`
	Expires     time.Time `json:"expires,omitzero"`
	IdleExpires time.Time `json:"idle_expires,omitzero"`
	Generation  uint32    `json:"generation"`
}

// GrantList answers GET /oauth/grants, but for a client.
type GrantList struct {
	Subject string  `json:"subject"`
	Grants  []Grant `json:"grants"`
}

// scanned is how far a stream is.
type scanned struct {
	Users      int  `json:"users"`
	Grants     int  `json:"grants"`
	Configured bool `json:"configured"` // the client
}

func (a *API) listGrants(c *call) (any, error) {
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
	families, err := a.Issuer.Grants(c.Context(), subject)
	if err != nil {
		return nil, err
	}
	return a.list(c.Context(), subject, storage.TagSubject(subject), families)
}

var errNoSubject = badRequest("subject: missing; it is the `sub` of the tokens, such as local|alice")

func (a *API) list(ctx context.Context, subject string, user storage.UserTag, families []storage.Family) (GrantList, error) {
	list := GrantList{Subject: subject, Grants: make([]Grant, 0, len(families))}
	names, err := a.Issuer.NameClientsOf(ctx, user, families...)
	for n, name := range names {
		list.Grants = append(list.Grants, describeGrant(families[n], name))
	}
	return list, err
}

// streamGrants brings the grants of a client as they are found.
func (a *API) streamGrants(c *call, client string) (any, error) {
	stream := c.begin()
	var n scanned
	_, n.Configured = a.Issuer.Configured(client)
	names := make(map[storage.ClientTag]tokens.NamedClient) // one, or a site and its keys
	err := a.Operator.ScanGrants(c.Context(), client, func(users int) {
		n.Users = users
		stream.progress(n)
	}, func(g admin.UserGrants) error {
		for _, f := range g.Families {
			if _, known := names[f.Client]; !known {
				found, err := a.Issuer.NameClientsOf(c.Context(), g.User, f)
				if err != nil {
					return err
				}
				names[f.Client] = found[0]
			}
			info := describeGrant(f, names[f.Client])
			info.Subject = named(g.Subject, g.User)
			n.Grants++
			if err := stream.line("grant", info); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && n.Grants == 0 && !n.Configured {
		return nil, a.unknownClient(c, client)
	}
	return n, err
}

// named returns a subject, or what stands for one whose profile is gone.
func named(subject string, user storage.UserTag) string {
	return cmp.Or(subject, "(user "+user.String()+")")
}

// findGrant finds one family, with a scan when nobody says whose it is.
func (a *API) findGrant(c *call, subject, family string) (any, error) {
	g, found, err := a.lookUp(c, subject, family)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, refusal(http.StatusNotFound, fmt.Errorf("no grant with the family %s lives; `explain` tells what became of it", family))
	}
	return a.list(c.Context(), named(g.Subject, g.User), g.User, g.Families)
}

func (a *API) lookUp(c *call, subject, family string) (g admin.UserGrants, found bool, err error) {
	id, ok := storage.ParseFamilyID(family)
	if !ok {
		return g, false, badRequest("family: not a family id as GET /oauth/grants lists them")
	}
	if subject == "" {
		g, found, err = a.Operator.FindGrant(c.Context(), id)
		return g, found, err
	}
	if err := a.checkUser(c, subject); err != nil {
		return g, false, err
	}
	all, err := a.Issuer.Grants(c.Context(), subject)
	i := slices.IndexFunc(all, func(f storage.Family) bool { return f.ID == id })
	if err != nil || i < 0 {
		return g, false, err
	}
	return admin.UserGrants{User: storage.TagSubject(subject), Subject: subject, Families: all[i : i+1]}, true, nil
}

func describeGrant(f storage.Family, client tokens.NamedClient) Grant {
	return Grant{
		ClientName:  describeClient(client),
		Family:      f.ID.String(),
		Created:     f.Created.UTC(),
		AuthTime:    f.AuthTime.UTC(),
		LastUsed:    f.Rotated.UTC(),
		Expires:     f.Expires.UTC(),
		IdleExpires: f.IdleExpires.UTC(),
		Generation:  f.Generation,
	}
}

// checkList demands a subject or a client.
func checkList(asked url.Values) error {
	if asked.Has("subject") == asked.Has("client") {
		return errors.New("name a subject, such as 'local|alice', or a --client")
	}
	return nil
}

func showGrants(p *Printer, _ url.Values, list GrantList) {
	switch {
	case len(list.Grants) > 0:
	case list.Subject == "":
		p.Printf("nobody is signed in there\n")
		return
	default:
		p.Printf("%s is signed in at no application; `caddy oauth users show` has their sessions\n", list.Subject)
		return
	}
	rows := [][]string{{"FAMILY", "CLIENT", "SIGNED IN", "LAST USED", "ENDS UNUSED", "ENDS", "GENERATION", "NAME"}}
	for _, g := range list.Grants {
		rows = append(rows, []string{
			g.Family, g.Client, stamp(cmp.Or(g.AuthTime, g.Created)), stamp(g.LastUsed), stamp(g.IdleExpires), stamp(g.Expires), fmt.Sprint(g.Generation), g.label(),
		})
	}
	p.Table(rows)
}

func showGrant(p *Printer, asked url.Values, list GrantList) {
	p.Printf("%s\n", list.Subject)
	showGrants(p, asked, list)
}

// showStreamedGrant prints a row of a table whose end is not known yet: the
// columns have fixed widths, and the last one has none.
func showStreamedGrant(p *Printer, before int, line Line) {
	const row = "%-22s  %-19s  %-19s  %-19s  %-19s  %s\n"
	if before == 0 {
		p.Printf(row, "FAMILY", "SIGNED IN", "LAST USED", "ENDS UNUSED", "ENDS", "SUBJECT")
	}
	g := line.Grant
	p.Printf(row, g.Family, stamp(cmp.Or(g.AuthTime, g.Created)), stamp(g.LastUsed), stamp(g.IdleExpires), stamp(g.Expires), g.Subject)
}

func scanProgress(at scanned) string {
	return fmt.Sprintf("%s looked at, %s found", Users(at.Users), number(at.Grants, "grant", "grants"))
}

func showScanned(p *Printer, asked url.Values, end scanned) {
	if end.Grants == 0 {
		p.Printf("nobody is signed in at %s\n", asked.Get("client"))
		return
	}
	p.Printf("%s; %s looked at\n", number(end.Grants, "grant", "grants"), Users(end.Users))
}
