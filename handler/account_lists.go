package handler

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// listed is how many rows of a list the page shows at once.
const listed = 20

// accountPlace is where in its lists the page is.
type accountPlace struct {
	path, locales string
	page, agreed  int // of the applications and of the agreements, from 1
}

// url returns the address of the page there.
func (p accountPlace) url() string {
	q := make(url.Values)
	if p.page > 1 {
		q.Set("page", strconv.Itoa(p.page))
	}
	if p.agreed > 1 {
		q.Set("agreed", strconv.Itoa(p.agreed))
	}
	if p.locales != "" {
		q.Set("ui_locales", p.locales)
	}
	return withQuery(p.path, q)
}

// around returns the addresses of the pages before and after the one that is shown of a
// list, "" for none; set changes where in that list a place is.
func (p accountPlace) around(shown pages.Pager, set func(*accountPlace, int)) (before, after string) {
	if shown.Page > 1 {
		set(&p, shown.Page-1)
		before = p.url()
	}
	if shown.Page < shown.Of {
		set(&p, shown.Page+1)
		after = p.url()
	}
	return before, after
}

// pageAsked returns which page of a list a request asks for, from 1, of a list so long.
func pageAsked(r *http.Request, name string, length int) (page, of int) {
	page, _ = strconv.Atoi(r.URL.Query().Get(name))
	of = max(1, (length+listed-1)/listed)
	return min(max(page, 1), of), of
}

// listApplications puts on the page where a person is signed in.
func (s *Server) listApplications(r *http.Request, l *tokens.Login, texts *pages.Texts, page *pages.Account, at *accountPlace) error {
	asked, _ := pageAsked(r, "page", 1<<20)
	apps, all, err := s.Issuer.SignedIn(r.Context(), l, (asked-1)*listed, listed)
	if err != nil {
		return err
	}
	var of int
	if at.page, of = pageAsked(r, "page", all); at.page != asked { // the list has become shorter
		if apps, _, err = s.Issuer.SignedIn(r.Context(), l, (at.page-1)*listed, listed); err != nil {
			return err
		}
	}
	page.Pages = pages.Pager{Page: at.page, Of: of}
	for _, a := range apps {
		page.Applications = append(page.Applications, s.describe(a, texts))
		if a.Keys {
			page.Keys = s.pathOf("app_keys")
		}
	}
	return nil
}

// listAgreements puts on the page what a person has agreed to: 100 applications at most.
func (s *Server) listAgreements(r *http.Request, l *tokens.Login, texts *pages.Texts, page *pages.Account, at *accountPlace) error {
	all, err := s.Issuer.Consents(r.Context(), l)
	if err != nil {
		return err
	}
	var of int
	at.agreed, of = pageAsked(r, "agreed", len(all))
	page.AgreementPages = pages.Pager{Page: at.agreed, Of: of}
	first := (at.agreed - 1) * listed
	for _, c := range all[first:min(first+listed, len(all))] {
		page.Agreements = append(page.Agreements, pages.Agreement{
			App: appOf(c.NamedClient, texts), ID: hex.EncodeToString(c.ClientTag[:]),
			Access: s.accessTexts(texts, c.Scopes, c.Audiences), Agreed: c.Agreed, LastUsed: c.LastUsed,
		})
	}
	return nil
}

// loginLabel returns what people call a login, its name where it is not configured any more.
func (s *Server) loginLabel(name string) string {
	for _, l := range s.Logins {
		if l.Name() == name {
			return l.Label()
		}
	}
	return name
}

// appOf says what to call an application: one that nobody registered by the host that
// vouches for it, or by what it calls itself, in quotes, and where its answers go.
func appOf(c tokens.NamedClient, texts *pages.Texts) pages.App {
	app := pages.App{Name: c.Name}
	if c.Claimed {
		app = pages.App{Name: c.Host, Claimed: cutName(c.Name)}
		if c.Host == "" && c.Name == "" {
			app.Name = texts.AppUnnamed
		}
	}
	if app.Name == "" && app.Claimed == "" {
		app.Name = texts.AppRemoved
	}
	var callers []string
	for _, uri := range c.RedirectURIs {
		if caller := callerAt(uri).Caller(texts); !slices.Contains(callers, caller) {
			callers = append(callers, caller)
		}
	}
	app.GoesTo = strings.Join(callers, ", ")
	return app
}

// describe says in words where a person is signed in.
func (s *Server) describe(a tokens.SignedIn, texts *pages.Texts) pages.Application {
	app := pages.Application{
		App: appOf(a.NamedClient, texts), ID: a.Family.ID.String(), Device: texts.Device(a.Device), From: a.Address,
		Since: a.Family.Created, LastUsed: a.Family.Rotated, Here: a.Here,
	}
	if a.Site != "" {
		app.Name = s.clientName(a.ID)
	}
	if a.Key != "" {
		app.Device = texts.KeysTitle + ": " + a.Key
	}
	return app
}
