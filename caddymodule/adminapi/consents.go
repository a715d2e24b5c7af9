package adminapi

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Consent is what somebody has agreed to at one client, as operators see it.
type Consent struct {
	ClientName

	Agreed    time.Time `json:"agreed"`
	LastUsed  time.Time `json:"last_used"`
	Scopes    []string  `json:"scopes,omitempty"`
	Audiences []string  `json:"audiences,omitempty"`
}

// consentList answers GET /oauth/consents.
type consentList struct {
	Subject  string    `json:"subject"`
	Consents []Consent `json:"consents"`
}

// withdrawn answers DELETE /oauth/consents.
type withdrawn struct {
	Subject string `json:"subject"`
	Client  string `json:"client"`
	Changed bool   `json:"changed"` // there was a consent, or a login at the client
	Ended   int    `json:"ended"`   // refresh token families that lived until now
}

func (a *API) listConsents(c *call) (any, error) {
	subject := c.get("subject")
	if subject == "" {
		return nil, errNoSubject
	}
	if err := a.checkUser(c, subject); err != nil {
		return nil, err
	}
	all, err := a.Issuer.ConsentsOf(c.Context(), storage.TagSubject(subject))
	list := consentList{Subject: subject, Consents: make([]Consent, 0, len(all))}
	for _, consent := range all {
		list.Consents = append(list.Consents, describeConsent(consent))
	}
	return list, err
}

func describeConsent(c tokens.Consent) Consent {
	return Consent{
		ClientName: describeClient(c.NamedClient), Agreed: c.Agreed.UTC(), LastUsed: c.LastUsed.UTC(), Scopes: c.Scopes, Audiences: c.Audiences,
	}
}

func (a *API) withdrawConsent(c *call) (any, error) {
	subject, client := c.get("subject"), c.get("client")
	c.event.Subject, c.event.Client = subject, client
	switch {
	case subject == "":
		return nil, errNoSubject
	case client == "":
		return nil, badRequest("client: missing; it is what the list shows, or a client_id")
	}
	if err := a.checkUser(c, subject); err != nil {
		return nil, err
	}
	tag, err := a.consentTo(c, storage.TagSubject(subject), client)
	if err != nil {
		return nil, err
	}
	res, err := a.Issuer.Withdraw(c.Context(), storage.TagSubject(subject), subject, tag, history.EndedByOperator)
	return withdrawn{Subject: subject, Client: client, Changed: res.New, Ended: len(res.Families)}, err
}

// consentTo returns the client that is meant: one that the user has agreed to, or else one that
// is known.
func (a *API) consentTo(c *call, user storage.UserTag, client string) (storage.ClientTag, error) {
	all, err := a.Issuer.ConsentTags(c.Context(), user)
	if err != nil {
		return storage.ClientTag{}, err
	}
	tag := a.Issuer.TagOf(client)
	if slices.Contains(all, tag) {
		return tag, nil
	}
	return tag, a.checkClient(c, client)
}

func showConsents(p *Printer, _ url.Values, list consentList) {
	if len(list.Consents) == 0 {
		p.Printf("%s has agreed to nothing\n", list.Subject)
		return
	}
	rows := [][]string{{"CLIENT", "NAME", "AGREED", "LAST USED", "APIS", "SCOPES"}}
	for _, c := range list.Consents {
		rows = append(rows, []string{
			c.Client, c.label(), stamp(c.Agreed), stamp(c.LastUsed),
			cmp.Or(strings.Join(c.Audiences, " "), "-"), cmp.Or(strings.Join(c.Scopes, " "), "-"),
		})
	}
	p.Table(rows)
}

func showWithdrawn(p *Printer, _ url.Values, answer withdrawn) {
	if !answer.Changed {
		p.Printf("%s had agreed to nothing at %s; what it may have had is refused\n", answer.Subject, answer.Client)
		return
	}
	p.Printf("withdrawn: what %s has agreed to at %s; ended: %s, codes and access tokens\n", answer.Subject, answer.Client, Families(answer.Ended))
}
