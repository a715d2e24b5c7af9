package nodes

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// balanced sends each request to another node than the one before, as a load balancer does.
type balanced struct {
	at    func(r *http.Request) []*node // of which one answers
	count atomic.Int64
}

func (b *balanced) RoundTrip(r *http.Request) (*http.Response, error) {
	nodes := b.at(r)
	return nodes[int(b.count.Add(1))%len(nodes)].client.Transport.RoundTrip(r)
}

// reader is a person with a browser who reads the wiki.
type reader struct {
	s    *site
	name string
	http *http.Client
}

func (s *site) reader(t *testing.T, person int, at func(*http.Request) []*node) *reader {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{s, userName(person), &http.Client{Jar: jar, Transport: &balanced{at: at}, Timeout: 10 * time.Second}}
}

// send sends a request as a browser that navigates, and returns the status and the page.
func (p *reader) send(method, address string, form url.Values) (int, string, error) {
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	resp, err := p.http.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// reads opens a page of the wiki, and says what is wrong with it, "" for nothing.
func (p *reader) reads() string {
	status, page, err := p.send(http.MethodGet, p.s.wiki+"/page", nil)
	switch {
	case err != nil:
		return err.Error()
	case status != http.StatusOK || page != "a page for local|"+p.name:
		return http.StatusText(status) + ": " + page[:min(300, len(page))]
	}
	return ""
}

var (
	wikiStart  = regexp.MustCompile(`id="sign-in" href="([^"]+)"`)
	wikiTicket = regexp.MustCompile(`name="request" value="([^"]+)"`)
)

// signIn takes the link of the start page and fills in the login page.
func (p *reader) signIn(t *testing.T) {
	t.Helper()
	status, page, err := p.send(http.MethodGet, p.s.wiki+"/page", nil)
	link := wikiStart.FindStringSubmatch(page)
	if err != nil || status != http.StatusUnauthorized || link == nil {
		t.Fatalf("the start page: %d %s %v", status, page, err)
	}
	status, page, err = p.send(http.MethodGet, strings.ReplaceAll(link[1], "&amp;", "&"), nil)
	ticket := wikiTicket.FindStringSubmatch(page)
	if err != nil || ticket == nil {
		t.Fatalf("the login page: %d %s %v", status, page, err)
	}
	form := url.Values{"request": {ticket[1]}, "login": {"local"}, "username": {p.name}, "password": {password}, "action": {"login"}}
	if status, page, err = p.send(http.MethodPost, p.s.issuer+"login", form); err != nil || page != "a page for local|"+p.name {
		t.Fatalf("signed in: %d %s %v", status, page, err)
	}
}

// TestWikiOfTwoNodes: a site behind a load balancer: each request of a sign-in, and of the session,
// may get to another node; during a rolling deploy one of them does not have the site yet; reloads
// lose nobody; who signs out is out at both; and while Redis is away nobody is let in, nor signed out.
func TestWikiOfTwoNodes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := startSite(t, siteOptions{Store: standalone(server.Addr), MaxLag: 2 * time.Second, Guard: "idle_lifetime 1m"})
	a, b := s.nodes[0], s.nodes[1]
	both := func(*http.Request) []*node { return s.nodes }

	// B is deployed last: it answers for the issuer, and knows nothing of the site.
	if err := b.reloadWith(func(o *siteOptions) { o.Guard = "" }); err != nil {
		t.Fatal(err)
	}
	early := s.reader(t, 0, func(r *http.Request) []*node {
		if strings.HasPrefix(r.URL.Path, "/page") || strings.HasPrefix(r.URL.Path, "/.gatehouse/") {
			return s.nodes[:1]
		}
		return s.nodes[1:]
	})
	early.signIn(t)
	if err := b.reload(); err != nil {
		t.Fatal(err)
	}
	early.http.Transport.(*balanced).at = func(*http.Request) []*node { return s.nodes[1:] }
	if wrong := early.reads(); wrong != "" {
		t.Errorf("at the node that has had the site just now: %s", wrong)
	}

	readers := []*reader{early}
	for i := range 4 {
		p := s.reader(t, i+1, both)
		p.signIn(t)
		readers = append(readers, p)
	}
	done := make(chan struct{})
	var reading sync.WaitGroup
	var pages atomic.Int64
	for _, p := range readers {
		reading.Go(func() {
			for {
				if wrong := p.reads(); wrong != "" {
					t.Errorf("%s, during reloads: %s", p.name, wrong)
					return
				}
				pages.Add(1)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range 6 {
		for _, n := range s.nodes {
			if err := n.reload(); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	reading.Wait()
	if pages.Load() < 20 {
		t.Errorf("only %d pages were read meanwhile", pages.Load())
	}

	// Out at one node is out at the other.
	leaves := readers[1]
	leaves.http.Transport.(*balanced).at = func(r *http.Request) []*node {
		if r.URL.Path == "/page" {
			return []*node{b}
		}
		return []*node{a}
	}
	held := leaves.http.Jar
	leaves.http.Jar = keeping{held}
	if status, page, err := leaves.send(http.MethodPost, s.wiki+"/.gatehouse/logout", url.Values{}); err != nil || status != http.StatusOK {
		t.Errorf("signing out: %d %s %v", status, page, err)
	}
	within(t, "the other node to hear of the sign-out", lag+5*time.Second, func() bool { return leaves.reads() != "" })
	if wrong := readers[2].reads(); wrong != "" {
		t.Errorf("somebody else: %s", wrong)
	}

	// Away, and back.
	server.Stop()
	within(t, "pages to be refused", 20*time.Second, func() bool {
		status, page, _ := readers[2].send(http.MethodGet, s.wiki+"/page", nil)
		if status == http.StatusUnauthorized {
			t.Fatalf("who is signed in is asked to sign in while Redis is away: %s", page)
		}
		return status == http.StatusServiceUnavailable && strings.Contains(page, "Nothing is wrong with your account")
	})
	server.Continue()
	within(t, "pages to be shown again", 20*time.Second, func() bool { return readers[2].reads() == "" })
}

// keeping is the jar of a thief: no answer takes a cookie from it.
type keeping struct{ http.CookieJar }

func (keeping) SetCookies(*url.URL, []*http.Cookie) {}
