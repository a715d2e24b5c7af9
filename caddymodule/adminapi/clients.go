package adminapi

import (
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/admin"
)

// ListedClient is a client as operators see it.
type ListedClient struct {
	ClientName

	Kind     string    `json:"kind"`   // configured, site, removed, document or registered
	People   int       `json:"people"` // who are signed in by it
	Grants   int       `json:"grants"`
	LastUsed time.Time `json:"last_used,omitzero"`
	Ended    time.Time `json:"ended,omitzero"` // what was begun by then is over
	Blocked  bool      `json:"blocked,omitempty"`
}

// clientList answers GET /oauth/clients.
type clientList struct {
	Clients []ListedClient `json:"clients"`
	More    bool           `json:"more,omitempty"` // than are listed
}

func (a *API) listClients(c *call) (any, error) {
	c.patient()
	found, more, err := a.Operator.ListClients(c.Context())
	list := clientList{Clients: make([]ListedClient, 0, len(found)), More: more}
	for _, f := range found {
		list.Clients = append(list.Clients, ListedClient{
			ClientName: describeClient(f.NamedClient), Kind: f.Kind, People: f.People, Grants: f.Families, LastUsed: f.LastUsed.UTC(), Ended: f.Ended.UTC(), Blocked: f.Blocked,
		})
	}
	return list, err
}

func showClients(p *Printer, _ url.Values, list clientList) {
	rows := append(make([][]string, 0, 1+len(list.Clients)), []string{"CLIENT", "KIND", "PEOPLE", "GRANTS", "LAST USED", "ENDED", "NAME"})
	for _, c := range list.Clients {
		ended := stamp(c.Ended)
		if c.Blocked {
			ended += ", blocked"
		}
		rows = append(rows, []string{
			c.Client, c.Kind, strconv.Itoa(c.People), strconv.Itoa(c.Grants), stamp(c.LastUsed), ended, c.label(),
		})
	}
	p.Table(rows)
	if list.More {
		p.Note("there are more than are listed")
	}
}

// blockedClient answers POST /oauth/clients/<id>/unblock.
type blockedClient struct {
	Client string `json:"client"`
}

func (a *API) unblockClient(c *call) (any, error) {
	c.event.Client = c.name
	if err := a.checkClient(c, c.name); err != nil {
		return nil, err
	}
	return blockedClient{Client: c.name}, a.blockClient(c, false)
}

func (a *API) blockClient(c *call, blocked bool) error {
	err := a.Operator.BlockClient(c.Context(), c.name, blocked)
	if errors.Is(err, admin.ErrConfigured) {
		return badRequest("%s", err)
	}
	return err
}

func showUnblocked(p *Printer, _ url.Values, answer blockedClient) {
	p.Printf("%s may sign people in again\n", answer.Client)
}

func (a *API) endRegistered(c *call) (any, error) {
	c.patient()
	until, err := a.Operator.EndRegistered(c.Context())
	return endedEveryone{Until: until.UTC()}, err
}

const confirmRegistered = "this signs people out of every program that has registered itself as a client, on all nodes and for good; the programs may sign them in again"

func showEndedRegistered(p *Printer, _ url.Values, answer endedEveryone) {
	p.Printf("ended: everything that clients held that have registered themselves, until %s\n", answer.Until.Format(time.RFC3339))
}
