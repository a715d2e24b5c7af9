package adminapi

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// ClientName is a client as operators see it, in each answer that tells of one.
type ClientName struct {
	// Client is what every command takes: the client_id, or of a client that no configuration names
	// its kind and the hash of its client_id.
	Client string `json:"client,omitempty"`
	Name   string `json:"client_name,omitempty"`
	// Claimed says that the client has given itself the name, which nobody has checked.
	Claimed bool   `json:"claimed,omitempty"`
	URL     string `json:"client_url,omitempty"`  // of its metadata, if that is what it is known by
	Host    string `json:"client_host,omitempty"` // of the URL, which may be forgotten
	// RedirectURIs are where answers go, of a client that nobody registered.
	RedirectURIs []string `json:"redirect_uris,omitempty"`
}

func describeClient(c tokens.NamedClient) ClientName {
	return ClientName{Client: c.ID, Name: c.Name, Claimed: c.Claimed && c.Name != "", URL: c.URL, Host: c.Host, RedirectURIs: c.RedirectURIs}
}

// label says what a client is called: in quotes where it says so itself, with what is published
// by somebody, or else with where its answers go. "-" is for a client of which only the id is known.
func (c ClientName) label() string {
	var parts []string
	switch {
	case c.Name == "" || c.Name == c.Client:
	case c.Claimed:
		parts = append(parts, strconv.Quote(c.Name))
	default:
		parts = append(parts, c.Name)
	}
	if at := cmp.Or(c.URL, c.Host); at != "" {
		parts = append(parts, at)
	} else if len(c.RedirectURIs) > 0 {
		parts = append(parts, "to "+c.RedirectURIs[0])
	}
	return cmp.Or(strings.Join(parts, ", "), "-")
}
