package nodes

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

var endButton = regexp.MustCompile(`name="end" value="([^"]*)"`)

// TestAccountOnTwoNodes: what a person signs out at /account of A is over at B
// at once: the newest login alone, then all.
func TestAccountOnTwoNodes(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	a, b := s.nodes[0], s.nodes[1]
	first := s.newLogin(t, 0, 1)
	second, v := s.tryLogin(first.person, 1, 0)
	if v != history.Done {
		t.Fatalf("single sign-on at B: %s", v)
	}
	for _, l := range []*login{first, second} {
		for _, n := range s.nodes {
			if v := l.call(n); v != history.Done {
				t.Fatalf("call at %s: %s", n.name, v)
			}
		}
	}
	s.atAccount(t, second, a, "end")
	s.refusedSoon(t, second, b)
	if v := second.renewOnce(b); v != history.Refused {
		t.Errorf("refresh at B: %s", v)
	}
	if v := first.call(b); v != history.Done {
		t.Errorf("the other login: %s", v)
	}
	s.atAccount(t, first, a, "action")
	s.refusedSoon(t, first, b)
	if v := first.renewOnce(b); v != history.Refused {
		t.Errorf("refresh at B after signing out everywhere: %s", v)
	}
	s.check(map[history.Kind]int{history.Redeem: 2, history.SignOut: 2})
}

// atAccount signs out at the account page: the newest application by `end`, all by `action`.
func (s *site) atAccount(t *testing.T, l *login, n *node, button string) {
	t.Helper()
	o := s.begin(n, history.SignOut, l.family, "")
	page, err := o.send(l.person.jar, s.get(s.issuer+"account"), kept)
	if err != nil {
		t.Fatal(err)
	}
	ticket, ends := ticketField.FindStringSubmatch(page.body), endButton.FindStringSubmatch(page.body)
	if ticket == nil || ends == nil {
		t.Fatalf("the account page: %d %s", page.status, page.body)
	}
	form := url.Values{"request": {html.UnescapeString(ticket[1])}, "end": {html.UnescapeString(ends[1])}}
	if button == "action" {
		form = url.Values{"request": form["request"], "action": {"everywhere"}}
	}
	r := s.post("/account", form)
	r.Header.Set("Origin", strings.TrimSuffix(s.issuer, "/"))
	if answer, err := o.send(l.person.jar, r, kept); err != nil || answer.status != 200 {
		t.Fatalf("signing out: %d %v", answer.status, err)
	}
	o.end(history.Done)
}
