package site

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Bearer checks access tokens in the Authorization header; a *guard.Guard is one.
type Bearer interface {
	Authenticate(w http.ResponseWriter, r *http.Request) (*verify.Claims, error)
	// Allow applies the rules to claims that an earlier guard of the request has let in.
	Allow(w http.ResponseWriter, r *http.Request, claims *verify.Claims) error
}

// Config is one guard: a require_login. The zero value of each field but Sites is fine.
type Config struct {
	Sites []*Site     // of the origins that it stands at, at least one
	For   people.Rule // who passes; none for everybody
	Rules sites.Rules
	// Public is what needs no session; nil for nothing. It is not asked about a path that the
	// upstream may take for another one (`/feed/..;/admin`).
	Public func(*http.Request) bool
	// Headers tell the upstream who somebody is. Taken out of the request are these, and
	// WellKnown.
	Headers  []identity.Mapping
	Upstream *UpstreamToken // an access token for the upstream; nil for none
	Bearer   Bearer         // lets programs in by access token; nil for not at all
	Keys     bool           // lets programs in by app key
	// OnlyPeople is who keeps a session alive: navigations and unsafe methods alone.
	OnlyPeople bool
	// AllowOrigins are origins whose pages may send requests in the name of who is signed in, and
	// read the answers, as pages of the site's own may. Empty for none.
	AllowOrigins []string
	// StartRedirect redirects to the sign-in at once, without the page that keeps the fragment.
	StartRedirect bool
	// Passage returns what the guards of a request share, the same for all of them; nil
	// where there is one guard at most.
	Passage func(*http.Request) *Passage
	// KeepCache leaves what answers say about caches as it is.
	KeepCache bool
}

// Result is what Guard.Check found out.
type Result struct {
	// Answered says that the answer is written and nothing may follow.
	Answered bool
	// Claims are who it is; nil for a public path. They hold the denylist.Token by which a
	// stream hears of the session's end.
	Claims *verify.Claims
	// Expires is when the session, or the token, is over in any case.
	Expires time.Time
	// Session is false for who came by access token.
	Session bool
	// Writer is what the next handler must write to.
	Writer http.ResponseWriter

	site *Site // where the session is held
	held *held // nil for who came by access token
}

// Origin returns the origin of the session; "" for who came by access token.
func (r *Result) Origin() string {
	if r.site == nil {
		return ""
	}
	return r.site.Origin()
}
