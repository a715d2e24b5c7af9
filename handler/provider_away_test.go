package handler

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// F13, P15: who would be sent straight to a provider that is known to be away reads so on a page of
// ours, which has ways on: another login, back to the application, and there all the same.
func TestF13P15StraightToAProviderThatIsAway(t *testing.T) {
	idp := &scripted{name: "company", finish: bob, gone: &login.FailedError{Failure: login.FailedDown, Reason: "unreachable"}}
	g := newGateway(t, withLogins(false, idp))
	b := g.browser()
	res := b.get(authorizeURL())
	page := wantPage(t, res, http.StatusServiceUnavailable)
	if !strings.Contains(page, "The company account cannot be reached right now") || res.Header.Get("Retry-After") == "" || len(idp.left) > 0 {
		t.Errorf("%s %s", res.Header, page)
	}
	if events := g.heard.heardOf(oauth.EventLogin); len(events) != 1 || events[0].Outcome != oauth.OutcomeProviderDown {
		t.Errorf("told %v", events)
	}
	action, fields := form(t, page)
	fields.Set("action", "cancel")
	if to, q := location(t, b.post(action, fields)); to != spaRedirect || q.Get("error") != "access_denied" {
		t.Errorf("back to %s with %v", to, q)
	}
	fields.Del("action")
	fields.Set("provider", "company")
	if to, q := location(t, b.get(b.comeBack(b.post(action, fields).Header.Get("Location"), idp))); to != spaRedirect || q.Get("code") == "" {
		t.Errorf("there all the same: came to %s with %v", to, q)
	}
	g = newGateway(t, withLogins(true, idp))
	wantPage(t, g.browser().get(authorizeURL()), http.StatusOK) // who is asked has a choice
}
