package tokens

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Question is what a person is asked to agree to.
type Question struct {
	// Access is what is new, or all: by API, "" for what is no API's, the scopes.
	Access storage.Access `json:"access"`
	// More says that the person has agreed to some of the request before, and is asked
	// for the difference alone.
	More bool `json:"more,omitempty"`
}

// Scopes returns the scopes that are asked for, in the order of the list.
func (q *Question) Scopes(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(scope string) bool {
		for _, scopes := range q.Access {
			if slices.Contains(scopes, scope) {
				return false
			}
		}
		return true
	})
}

// asking says what a person is asked about a request.
type asking uint8

const (
	asksNothing asking = iota
	asksNew            // what they have not agreed to
	asksAll            // whatever they have agreed to
)

// asks decides by the client's mode and the request. For a client that no operator has
// registered all is asked each time. One whose redirect URI other software on the device
// can claim is never answered silently, unless the operator vouches for it; a password
// just given on a page that named the client is as good as a consent, where none is demanded.
// See OpenID Connect Core §3.1.2.4 and RFC 8252 §8.6.
func (i *Issuer) asks(c *clients.Client, a *Authorization, named bool) asking {
	switch {
	case c.Origin != clients.Configured || slices.Contains(a.Prompt, PromptConsent):
		return asksAll
	case c.Consent == clients.ConsentNever || c.Consent == clients.ConsentAuto && named:
		return asksNothing
	case oauth.ClaimableRedirect(a.RedirectURI) && !i.developing(c, a.RedirectURI):
		return asksAll
	case c.Consent == clients.ConsentAlways:
		return asksNew
	}
	return asksNothing
}

// Question returns what a person has to be asked before a request is answered; nil for
// nothing. A password that was just given on a page that named the client is told by named.
// Errors: InvalidRequest for a client that is gone, TemporarilyUnavailable.
func (i *Issuer) Question(ctx context.Context, a *Authorization, l *Login, named bool) (*Question, error) {
	c, err := i.Asking(ctx, a)
	if err != nil {
		return nil, err
	}
	return i.question(ctx, c, a, l, named)
}

// Asking returns the client of a request that was valid when its page was made: a registered
// one, or the site whose guard asks. Errors: InvalidRequest where it is gone, and as of Client.
func (i *Issuer) Asking(ctx context.Context, a *Authorization) (*clients.Client, error) {
	if a.Site != nil {
		return a.Site.client(), nil
	}
	c, err := i.Client(ctx, a.ClientID)
	if errors.Is(err, clients.ErrUnknown) {
		err = oauth.Refuse(oauth.InvalidRequest, oauth.ReasonUnknownClient, "The application is no longer registered.")
	}
	return c, err
}

func (i *Issuer) question(ctx context.Context, c *clients.Client, a *Authorization, l *Login, named bool) (*Question, error) {
	asks := i.asks(c, a, named)
	if asks == asksNothing {
		return nil, nil //nolint:nilnil // nothing to ask is no error
	}
	wanted := i.wanted(c, a, l)
	if asks == asksAll {
		return &Question{Access: wanted}, nil
	}
	agreed, err := i.agreed(ctx, c, l)
	if err != nil {
		return nil, err
	}
	before := agreed[agreedRedirect(c, a)]
	missing := wanted.Without(before)
	if len(missing) == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	return &Question{Access: missing, More: len(before) > 0}, nil
}

// answers reports whether a person who was asked the one question has answered the other:
// a consent may have been withdrawn meanwhile, in another tab.
func (q *Question) answers(other *Question) bool {
	return other == nil || q != nil && len(other.Access.Without(q.Access)) == 0
}

// wanted is what a request wants of a person, as far as the person has it.
func (i *Issuer) wanted(c *clients.Client, a *Authorization, l *Login) storage.Access {
	return i.accessOf(c, i.ScopesOf(l, a.Scopes, a.Audiences), a.Audiences)
}

// accessOf sorts scopes by the APIs that have them. Who somebody is belongs to no API; to be
// there while they are away belongs to each.
func (i *Issuer) accessOf(c *clients.Client, scopes, audiences []string) storage.Access {
	access := storage.Access{"": {}}
	apis := audiences
	if len(apis) == 0 {
		apis = []string{""}
	}
	for _, api := range apis {
		of := []string{}
		for _, scope := range scopes {
			switch {
			case scope == oauth.ScopeOfflineAccess, slices.Contains(i.apiScopes(c, api), scope):
				of = append(of, scope)
			case slices.Contains(oauth.ReservedScopes, scope) && !slices.Contains(access[""], scope):
				access[""] = append(access[""], scope)
			}
		}
		access[api] = append(access[api], of...)
	}
	for _, of := range access {
		slices.Sort(of)
	}
	return access
}

// agreedRedirect is the redirect URI that a consent is for: its port apart on loopback, where
// an app gets another one each time.
func agreedRedirect(c *clients.Client, a *Authorization) string {
	return oauth.WithoutLoopbackPort(a.RedirectURI, c.Type == clients.Native)
}

// agreed returns what a person has agreed to at a client. One whose text is lost counts for
// nothing: the person is asked once more.
func (i *Issuer) agreed(ctx context.Context, c *clients.Client, l *Login) (storage.Agreed, error) {
	if err := i.lookUpConsent(ctx, c.Tag(), l); err != nil {
		return nil, err
	}
	if l.Session.Consent == (storage.Consent{}) {
		return nil, nil
	}
	g, _, err := i.state.Grants.Get(ctx, l.Session.Consent.Agreed, keepAgreed)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	return g.Agreed, nil
}

// keepAgreed is for how long the text of a consent is kept after a use: it outlives the
// record that names it.
const keepAgreed = storage.KeepConsent + storage.TouchConsent + time.Hour

// lookUpConsent sees to it that a login knows of the consent to a client. It does when the
// session was asked for with the client; who has just signed in costs one call.
func (i *Issuer) lookUpConsent(ctx context.Context, client storage.ClientTag, l *Login) error {
	if l.about == client {
		return nil
	}
	all, err := i.state.Store.Consents(ctx, l.Session.User)
	if err != nil {
		return oauth.Unavailable(err)
	}
	l.about, l.Session.Consent = client, storage.Consent{}
	for _, c := range all {
		if c.Client == client {
			l.Session.Consent = c
		}
	}
	return nil
}

// maxAgreed bounds the text of a consent: a client that comes with ever new redirect URIs or
// APIs makes a person's consent forget the ones before.
const maxAgreed = 4 << 10

// agree adds to what a person has agreed to at a client. What the code rests on is filled in.
//
// The record has room for a hash alone. What it is a hash of is needed to ask for the
// difference, and is the same for nearly everybody who uses a client: so it is kept as the
// texts of grants are, once under its content hash, and each node holds those in use. That is one
// call for a text which is new to the node, and none for another person's consent to the same.
func (i *Issuer) agree(ctx context.Context, c *clients.Client, l *Login, redirect string, access storage.Access, r *storage.PutRequest) error {
	before, err := i.agreed(ctx, c, l)
	if err != nil {
		return err
	}
	r.RestsOn = l.Session.Consent.Agreed
	now := maps.Clone(before)
	if now == nil {
		now = storage.Agreed{}
	}
	now[redirect] = access.With(now[redirect])
	grant := storage.Grant{Agreed: now, Client: c.ID}
	text, id, err := grant.Text()
	if err == nil && len(text) > maxAgreed {
		grant.Agreed = storage.Agreed{redirect: access}
		_, id, err = grant.Text()
	}
	if err != nil {
		return err
	}
	if err := i.state.Grants.Put(ctx, grant, keepAgreed); err != nil {
		return oauth.Unavailable(err)
	}
	r.Consent = &storage.Consent{Agreed: id, Name: c.Name}
	switch c.Origin {
	case clients.Configured:
		r.Consent.Name = cmp.Or(c.Name, c.ID)
	case clients.Document:
		r.Consent.Name, r.Consent.Host = documentHost(c.ID), true // a name of its own choice proves nothing
	case clients.Registered:
	}
	return nil
}

// ErrConsentChanged says that a person's consent was withdrawn or changed while a request
// that rests on it was answered: the request is to be looked at once more.
var ErrConsentChanged = &oauth.Error{
	Code: oauth.ConsentRequired, Reason: oauth.ReasonRevoked, Description: "The person's consent has just changed.",
}
