package site_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	issuerURL = "https://auth.example.com/"
	authHost  = "auth.example.com"
	wiki      = "https://wiki.example.com"
	wikiHost  = "wiki.example.com"
	dash      = "https://dash.example.net" // on an unrelated domain
	wikiAPI   = "https://api.example.com"
	password  = "correct horse"
)

// world is a store, and the nodes of a gateway over it.
type world struct {
	t     testing.TB
	store *watchedStore
	now   atomic.Int64
	heard *observer
	hash  string
	// secrets are those that nodes are configured with that are made now; none for the usual one.
	secrets [][]byte
	real    bool          // the clock is the machine's
	ahead   time.Duration // of the store's clock are those of nodes that are made now
}

func (w *world) clock() time.Time {
	if w.real {
		return time.Now()
	}
	return time.Unix(0, w.now.Load())
}

func (w *world) pass(d time.Duration) { w.now.Add(int64(d)) }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, heard: &observer{}}
	w.now.Store(time.Now().Truncate(time.Second).UnixNano())
	w.store = &watchedStore{Store: boltstore.New(boltstore.Options{Path: filepath.Join(t.TempDir(), "test.db"), Clock: w.clock})}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	w.hash = string(hash)
	return w
}

// watchedStore counts the calls that sites cause, and fails while it is told to.
type watchedStore struct {
	storage.Store
	rotated, asked, ended atomic.Int64
	away                  atomic.Bool
	slow                  atomic.Pointer[chan struct{}] // Rotate waits for it
	ending                atomic.Pointer[ending]
}

// ending holds up one End, which says that it is there and waits until it may go on.
type ending struct{ there, on chan struct{} }

var errAway = errors.New("the store is away")

func (s *watchedStore) Rotate(ctx context.Context, r storage.RotateRequest) (storage.RotateResult, error) {
	s.rotated.Add(1)
	if wait := s.slow.Load(); wait != nil {
		<-*wait
	}
	if s.away.Load() {
		return storage.RotateResult{}, errAway
	}
	return s.Store.Rotate(ctx, r)
}

func (s *watchedStore) Denials(ctx context.Context, users []storage.UserTag) ([]storage.UserDenials, error) {
	s.asked.Add(1)
	if s.away.Load() {
		return nil, errAway
	}
	return s.Store.Denials(ctx, users)
}

func (s *watchedStore) End(ctx context.Context, r storage.EndRequest) (storage.EndResult, error) {
	s.ended.Add(1)
	if e := s.ending.Swap(nil); e != nil {
		close(e.there)
		<-e.on
		if err := ctx.Err(); err != nil { // as Redis has it
			return storage.EndResult{}, err
		}
	}
	if s.away.Load() {
		return storage.EndResult{}, errAway
	}
	return s.Store.End(ctx, r)
}

type observer struct {
	mu     sync.Mutex
	events []oauth.Event
	checks []oauth.Reason
}

func (o *observer) Happened(_ context.Context, e oauth.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

func (o *observer) Checked(reason oauth.Reason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.checks = append(o.checks, reason)
}

func (o *observer) has(kind oauth.EventKind, outcome oauth.Outcome) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		if e.Kind == kind && e.Outcome == outcome {
			return true
		}
	}
	return false
}

// node is a gateway with the issuer, and with the sites that it is given.
type node struct {
	*world
	*tokens.Issuer
	state  *state.State
	server *handler.Server
	hosts  map[string]http.Handler
	bound  map[string]*site.Site
}

func (w *world) node(users ...login.User) *node {
	t := w.t
	t.Helper()
	if users == nil {
		users = []login.User{
			{Name: "alice", Hash: w.hash, Groups: []string{"staff"}, Claims: map[string]any{
				"name": "José 李雷", "email": "alice@example.com", "email_verified": true, "department": "sales", "gh_fam": "forged", "sid": "forged",
			}},
			{Name: "bob", Hash: w.hash, Claims: map[string]any{"email": "alice@example.com", "email_verified": false}},
		}
	}
	n := &node{world: w, hosts: make(map[string]http.Handler), bound: make(map[string]*site.Site)}
	configured := w.secrets
	if configured == nil {
		configured = [][]byte{bytes.Repeat([]byte("s"), 32)}
	}
	derived := must(secrets.NewSecrets(configured...))(t)
	ahead := w.ahead
	clock := func() time.Time { return w.clock().Add(ahead) }
	n.state = must(state.New(state.Config{Store: w.store, Observer: w.heard, Clock: clock, CacheBytes: 1 << 20, DenylistEntries: 1000}))(t)
	ok(t, n.state.Configure(t.Context(), state.Settings{
		Secrets: derived, TokenLifetime: 15 * time.Minute, Keys: keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256}},
	}))
	ok(t, n.state.Open(t.Context()))
	t.Cleanup(func() { _ = n.state.Close() })
	local := must(login.NewLocal(login.LocalConfig{
		Name: "local", Clock: clock, FakeHash: []byte(w.hash), Users: users,
		Compare: func(h, p []byte) (bool, error) { return bcrypt.CompareHashAndPassword(h, p) == nil, nil },
	}))(t)
	logins := []login.Login{local}
	n.Issuer = must(tokens.NewIssuer(tokens.Config{
		Issuer: issuerURL,
		APIs: []*clients.API{{
			Identifier: wikiAPI, Scopes: []string{"pages:read", "pages:write"}, AccessTokenLifetime: 10 * time.Minute, TokenClaims: []string{"groups"},
			ScopeFor: map[string]people.Rule{"pages:write": {{"staff"}}},
		}},
		People:   people.NewDirectory(people.Config{Locals: login.Groups(logins), Mentioned: []string{"staff", "admins"}}),
		Accounts: login.Accounts(logins), AccessTokenAlg: "ES256", IDTokenAlg: "ES256", IDTokenLifetime: time.Hour, UserinfoTokenLifetime: time.Hour,
		SessionLifetime: 30 * 24 * time.Hour, SessionIdleLifetime: 10 * 24 * time.Hour,
		CompareHash: func(_, _ []byte) (bool, error) { return false, errors.New("no slow hash in these tests") },
		Observer:    w.heard, Clock: clock, Rand: rand.Reader,
	}, n.state))(t)
	n.server = must(handler.NewServer(handler.Config{
		Issuer: n.Issuer, IssuerURL: issuerURL, Ready: n.state.Open, JWKS: n.state.Keys.JWKS, Secrets: func() *secrets.Secrets { return derived },
		Logins: logins, Observer: w.heard, Clock: clock, SigningAlgs: []jose.Algorithm{jose.ES256},
	}))(t)
	n.hosts[authHost] = n.server
	return n
}

// upstream is the application behind a guard; it remembers the last request.
type upstream struct {
	mu     sync.Mutex
	last   *http.Request
	hits   int
	header http.Header // of its answers
	status int
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.last, u.hits = r.Clone(context.Background()), u.hits+1
	u.mu.Unlock()
	maps.Copy(w.Header(), u.header)
	if u.status != 0 {
		w.WriteHeader(u.status)
	}
	_, _ = io.WriteString(w, "the application at "+r.URL.RequestURI())
}

// guard puts a guard in front of an application at an origin.
func (n *node) guard(origin string, change ...func(*site.SiteConfig, *site.Config)) *upstream {
	t := n.t
	t.Helper()
	u := &upstream{header: make(http.Header)}
	sc := site.SiteConfig{
		Origin: origin, Issuer: n.Sites(), IssuerURL: issuerURL, AuthorizeURL: n.server.AuthorizeURL(), SignedOutURL: n.server.SignedOutURL(),
		Pages: must(pages.New(pages.Theme{Name: "Example"}))(t), Life: sites.Life{Absolute: 12 * time.Hour, Idle: time.Hour},
		Observer: n.heard, Ready: n.state.Open,
	}
	gc := site.Config{Headers: []identity.Mapping{{Header: "X-User-Id", Claim: "sub"}, {Header: "X-Email", Claim: "email"}, {Header: "X-Groups", Claim: "groups"}}}
	for _, c := range change {
		c(&sc, &gc)
	}
	s := must(site.NewSite(sc))(t)
	gc.Sites = []*site.Site{s}
	g := must(site.New(gc))(t)
	_, host, _ := strings.Cut(origin, "://")
	n.bound[origin] = s
	n.hosts[host] = serving(s, g, u)
	return u
}

// serving is what a site block with a guard does.
func serving(s *site.Site, g *site.Guard, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if site.Owns(r.URL.Path) {
			s.ServeHTTP(w, r)
			return
		}
		res, err := g.Check(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		if !res.Answered {
			next.ServeHTTP(res.Writer, r)
		}
	})
}

// browser is one that keeps cookies and sends what browsers send.
type browser struct {
	n   *node
	jar *cookiejar.Jar
	// sent are the addresses of the last visit, one after another.
	sent []string
}

func (n *node) browser() *browser {
	return &browser{n: n, jar: must(cookiejar.New(nil))(n.t)}
}

// answer is what came.
type answer struct {
	*http.Response
	body string
	at   string // the address
}

// send sends one request and follows nothing. Of the headers, in pairs, "" takes one out.
func (b *browser) send(method, address string, body io.Reader, headers ...string) *answer {
	b.n.t.Helper()
	return b.sendIn(b.n.t.Context(), method, address, body, headers...)
}

// sendIn is send by a browser that hangs up when ctx ends.
func (b *browser) sendIn(ctx context.Context, method, address string, body io.Reader, headers ...string) *answer {
	b.n.t.Helper()
	u := must(url.Parse(address))(b.n.t)
	r := httptest.NewRequestWithContext(ctx, method, address, body)
	r.Host = u.Host
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			r.Header.Add(headers[i], headers[i+1])
		}
	}
	for _, c := range b.jar.Cookies(u) {
		r.AddCookie(c)
	}
	host, known := b.n.hosts[u.Host]
	if !known {
		b.n.t.Fatalf("nobody serves %s", address)
	}
	w := httptest.NewRecorder()
	host.ServeHTTP(w, r)
	res := w.Result()
	b.jar.SetCookies(u, res.Cookies())
	return &answer{res, w.Body.String(), address}
}

var navigates = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html,*/*;q=0.8", "User-Agent", "Mozilla/5.0"}

// open opens a page as by a link of another site, and follows redirects.
func (b *browser) open(address string, headers ...string) *answer {
	b.n.t.Helper()
	if headers == nil {
		headers = append([]string{"Sec-Fetch-Site", "none"}, navigates...)
	}
	b.sent = nil
	for range 12 {
		b.sent = append(b.sent, address)
		a := b.send(http.MethodGet, address, nil, headers...)
		if a.StatusCode != http.StatusSeeOther && a.StatusCode != http.StatusFound {
			return a
		}
		address = must(must(url.Parse(address))(b.n.t).Parse(a.Header.Get("Location")))(b.n.t).String()
	}
	b.n.t.Fatalf("a loop: %q", b.sent)
	return nil
}

var (
	ticketField = regexp.MustCompile(`name="request" value="([^"]+)"`)
	startLink   = regexp.MustCompile(`id="sign-in" href="([^"]+)"`)
)

// start opens a guarded page and takes the link of the start page, up to the login page.
func (b *browser) start(address string) *answer {
	b.n.t.Helper()
	a := b.open(address)
	link := startLink.FindStringSubmatch(a.body)
	if a.StatusCode != http.StatusUnauthorized || link == nil {
		b.n.t.Fatalf("%s: %d %s, want the start page", address, a.StatusCode, a.body)
	}
	return b.open(strings.ReplaceAll(link[1], "&amp;", "&"))
}

// submit fills in the login page.
func (b *browser) submit(page *answer, name string) *answer {
	b.n.t.Helper()
	ticket := ticketField.FindStringSubmatch(page.body)
	if ticket == nil {
		b.n.t.Fatalf("no login page at %s: %d %s", page.at, page.StatusCode, page.body)
	}
	form := url.Values{"request": {ticket[1]}, "login": {"local"}, "username": {name}, "password": {password}, "action": {"login"}}
	a := b.send(http.MethodPost, issuerURL+"login", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded",
		"Origin", strings.TrimSuffix(issuerURL, "/"), "Sec-Fetch-Site", "same-origin")
	if a.StatusCode != http.StatusSeeOther {
		b.n.t.Fatalf("signing in: %d %s", a.StatusCode, a.body)
	}
	return b.open(must(must(url.Parse(issuerURL))(b.n.t).Parse(a.Header.Get("Location")))(b.n.t).String())
}

// signIn opens a guarded page and signs in there.
func (b *browser) signIn(address, name string) *answer {
	b.n.t.Helper()
	return b.submit(b.start(address), name)
}

// fetch is what a script of the page does.
func (b *browser) fetch(method, address string, headers ...string) *answer {
	b.n.t.Helper()
	return b.send(method, address, nil, append([]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "*/*"}, headers...)...)
}

// cookie returns the value of the site's cookie.
func (b *browser) cookie(origin string) string {
	for _, c := range b.jar.Cookies(must(url.Parse(origin))(b.n.t)) {
		if strings.HasPrefix(c.Name, "__Host-gatehouse_site_") {
			return c.Value
		}
	}
	return ""
}

// said is the answer without its style.
func (a *answer) said() string {
	before, rest, _ := strings.Cut(a.body, "<style>")
	_, after, _ := strings.Cut(rest, "</header>")
	return before + after
}

// wants demands a status, and a text in the body.
func (a *answer) wants(t *testing.T, status int, text string) *answer {
	t.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, text) {
		t.Errorf("%s: %d, want %d and %q in\n%s", a.at, a.StatusCode, status, text, a.said())
	}
	return a
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func cookieName(s *site.Site) string { return s.CookieName() }

// issuerSession is the cookie of the single sign-on session.
func issuerSession(b *browser) string {
	for _, c := range b.jar.Cookies(must(url.Parse(issuerURL))(b.n.t)) {
		if c.Name == "__Host-gatehouse_session" {
			return c.Value
		}
	}
	return ""
}

// users are the usual ones of these names.
func (w *world) users(names ...string) []login.User {
	var users []login.User
	for _, name := range names {
		users = append(users, login.User{Name: name, Hash: w.hash})
	}
	return users
}

// newGuard is a usual guard of a site.
func newGuard(s *site.Site) (*site.Guard, error) {
	return site.New(site.Config{Sites: []*site.Site{s}, Headers: []identity.Mapping{{Header: "X-User-Id", Claim: "sub"}, {Header: "X-Email", Claim: "email"}}})
}
