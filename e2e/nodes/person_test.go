package nodes

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
)

// person is somebody with a browser.
type person struct {
	site *site
	user string
	jar  http.CookieJar
	// between runs while the person fills in the login page; nil for nothing.
	between func()
}

// newPerson is the next user of the site, in a new browser.
func (s *site) newPerson() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &person{site: s, user: userName(int(s.person.Add(1)) % people), jar: jar}
}

// login is a family as its client holds it.
type login struct {
	person          *person
	family          string // its name in the history
	refresh, access string
}

// loss is what becomes of an answer on its way.
type loss int

const (
	kept   loss = iota
	thrown      // it is lost on its way
	hungUp      // the connection breaks as soon as the request is written
)

// answer is an answer, read.
type answer struct {
	status int
	header http.Header
	body   string
}

// op is an operation under way.
type op struct {
	history.Op
	site *site
	node *node
}

func (s *site) begin(n *node, kind history.Kind, family, presented string) *op {
	return &op{history.Op{Kind: kind, Family: family, Node: n.name, Presented: history.Name(presented), Start: s.history.Now()}, s, n}
}

// end records the operation and returns its verdict.
func (o *op) end(v history.Verdict) history.Verdict {
	o.Verdict, o.End = v, o.site.history.Now()
	o.site.history.Add(o.Op)
	return v
}

// send sends a request to the operation's node. What is lost is an error.
func (o *op) send(jar http.CookieJar, r *http.Request, l loss) (answer, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if l == hungUp {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }})
	}
	client := *o.node.client
	client.Jar = jar
	resp, err := client.Do(r.WithContext(ctx))
	if err != nil {
		o.Detail = err.Error()
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && l == thrown {
		err = fmt.Errorf("the answer %d was lost", resp.StatusCode)
	}
	if err != nil {
		o.Detail = err.Error()
		return answer{}, err
	}
	o.Detail = fmt.Sprint(resp.StatusCode)
	return answer{resp.StatusCode, resp.Header, string(body)}, nil
}

// get and post make requests to the issuer.
func (s *site) get(target string) *http.Request {
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		panic(err) // the URL is ours
	}
	return r
}

func (s *site) post(path string, form url.Values) *http.Request {
	r, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(s.issuer, "/")+path, strings.NewReader(form.Encode()))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

var (
	ticketField = regexp.MustCompile(`name="request" value="([^"]+)"`)
	families    atomic.Int64
)

// code is an authorization code with what it takes to redeem it.
type code struct{ family, text, verifier string }

// authorize signs the person in at the pages, or by the session, and returns a code.
func (p *person) authorize(n *node) (code, history.Verdict) {
	s := p.site
	c := code{family: fmt.Sprintf("login%d", families.Add(1)), verifier: newSecret()}
	o := s.begin(n, history.Login, c.family, "")
	challenge := sha256.Sum256([]byte(c.verifier))
	a, err := o.send(p.jar, s.get(s.issuer+"authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {callback}, "state": {"state"},
		"scope": {"offline_access orders:read"}, "audience": {apiURL},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()), kept)
	if ticket := ticketField.FindStringSubmatch(a.body); err == nil && a.status == http.StatusOK && ticket != nil {
		r := s.post("/login", url.Values{
			"request": {ticket[1]}, "login": {"local"}, "username": {p.user}, "password": {password}, "action": {"login"},
		})
		r.Header.Set("Origin", strings.TrimSuffix(s.issuer, "/"))
		if p.between != nil {
			p.between()
			o.node = s.nodes[len(s.nodes)-1] // the balancer chooses anew
		}
		a, err = o.send(p.jar, r, kept)
	}
	if err != nil {
		return c, o.end(history.Lost)
	}
	if location, err := url.Parse(a.header.Get("Location")); err == nil {
		if c.text = location.Query().Get("code"); c.text != "" {
			return c, o.end(history.Done)
		}
		o.Detail += " " + location.Query().Get("error")
	}
	if a.status == http.StatusServiceUnavailable && ticketField.MatchString(a.body) {
		return c, o.end(history.Busy)
	}
	return c, o.end(verdictOf(a))
}

// verdictOf judges an answer that is no success.
func verdictOf(a answer) history.Verdict {
	switch {
	case a.status == http.StatusServiceUnavailable, a.status == http.StatusTooManyRequests:
		return history.Unavailable
	case a.status == http.StatusUnauthorized, a.status == http.StatusBadRequest && strings.Contains(a.body, `"invalid_grant"`):
		return history.Refused
	}
	return history.Broken
}

// tokens sends a request to the token endpoint and takes what it answers.
func (o *op) tokens(form url.Values, l loss) (refresh, access string, v history.Verdict) {
	form.Set("client_id", "app")
	a, err := o.send(nil, o.site.post("/oauth/token", form), l)
	if err != nil {
		return "", "", o.end(history.Lost)
	}
	if a.status != http.StatusOK {
		return "", "", o.end(verdictOf(a))
	}
	var got struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || got.AccessToken == "" || got.RefreshToken == "" {
		o.Detail += " with no tokens"
		return "", "", o.end(history.Broken)
	}
	o.Refresh, o.Access = history.Name(got.RefreshToken), history.Name(got.AccessToken)
	return got.RefreshToken, got.AccessToken, o.end(history.Done)
}

// redeem takes tokens for a code.
func (p *person) redeem(n *node, c code, l loss) (*login, history.Verdict) {
	o := p.site.begin(n, history.Redeem, c.family, c.text)
	refresh, access, v := o.tokens(url.Values{
		"grant_type": {"authorization_code"}, "redirect_uri": {callback}, "code": {c.text}, "code_verifier": {c.verifier},
	}, l)
	return &login{person: p, family: c.family, refresh: refresh, access: access}, v
}

// refreshOnce presents a refresh token and returns what came.
func (l *login) refreshOnce(n *node, token string, lost loss) (refresh, access string, v history.Verdict) {
	return l.present(n, token, lost, false)
}

// steal presents a refresh token that somebody should not have.
func (l *login) steal(n *node, token string) history.Verdict {
	_, _, v := l.present(n, token, kept, true)
	return v
}

func (l *login) present(n *node, token string, lost loss, theft bool) (refresh, access string, v history.Verdict) {
	o := l.person.site.begin(n, history.Refresh, l.family, token)
	o.Theft = theft
	return o.tokens(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, lost)
}

// call asks the guarded route.
func (l *login) call(n *node) history.Verdict {
	o := l.person.site.begin(n, history.Call, l.family, l.access)
	r := l.person.site.get("http://api.example.com/orders")
	r.Header.Set("Authorization", "Bearer "+l.access)
	a, err := o.send(nil, r, kept)
	switch {
	case err != nil:
		return o.end(history.Lost)
	case a.status == http.StatusOK && strings.Contains(a.body, "served to local|"+l.person.user):
		return o.end(history.Done)
	case a.status == http.StatusOK:
		o.Detail = "answered for somebody else: " + a.body
		return o.end(history.Broken)
	}
	return o.end(verdictOf(a))
}

// revoke ends the login at its client.
func (l *login) revoke(n *node) history.Verdict {
	o := l.person.site.begin(n, history.Revoke, l.family, l.refresh)
	a, err := o.send(nil, l.person.site.post("/oauth/revoke", url.Values{"client_id": {"app"}, "token": {l.refresh}}), kept)
	switch {
	case err != nil:
		return o.end(history.Lost)
	case a.status == http.StatusOK:
		return o.end(history.Done)
	}
	return o.end(verdictOf(a))
}

// signOut ends the person's session, and the login that was begun in it.
func (l *login) signOut(n *node) history.Verdict {
	s := l.person.site
	o := s.begin(n, history.SignOut, l.family, "")
	a, err := o.send(l.person.jar, s.get(s.issuer+"v2/logout?"+url.Values{"client_id": {"app"}, "returnTo": {afterwards}}.Encode()), kept)
	switch {
	case err != nil:
		return o.end(history.Lost)
	case strings.HasPrefix(a.header.Get("Location"), afterwards):
		return o.end(history.Done)
	}
	return o.end(verdictOf(a))
}

// patience is how long an honest client tries.
const patience = 60 * time.Second

// retryPause is between two tries of an honest client.
const retryPause = 50 * time.Millisecond

// again reports whether a verdict is a reason to try again.
func again(v history.Verdict) bool {
	return v == history.Lost || v == history.Unavailable || v == history.Busy
}

// persist tries at one node after the other until there is a decision.
func (s *site) persist(first int, try func(n *node) history.Verdict) history.Verdict {
	v := history.Lost
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); first++ {
		if v = try(s.nodes[first%len(s.nodes)]); !again(v) {
			return v
		}
		time.Sleep(retryPause)
	}
	return v
}
