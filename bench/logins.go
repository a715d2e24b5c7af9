package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	loginPeople   = 200
	loginWithin   = 2 * time.Second // in which they send their passwords
	loginPassword = "correct horse"
)

// loginCosts are those of bcrypt: one at which the hashes cost nothing beside the
// rest of a sign-in, and the usual one.
var loginCosts = []int{bcrypt.MinCost, bcrypt.DefaultCost}

// How often guarded requests and refreshes are sent beside the sign-ins.
const (
	guardedEvery   = 5 * time.Millisecond
	refreshedEvery = 25 * time.Millisecond
	refreshChains  = 40 // in turn, so that none waits for the one before
)

// benchLogins lets many people sign in at once and measures what that does to
// guarded requests and to refreshes, which are sent at a fixed rate: a late
// answer does not put off the next request, and counts from when it was due.
func benchLogins(ctx context.Context, o options) error {
	s, err := newSetup(o, "logins", "ES256")
	if err != nil {
		return err
	}
	if s.UsersFile, err = loginUsers(s.Store + ".htpasswd"); err != nil {
		return err
	}
	sd, err := openSeed(ctx, s.Store, s.Issuer, s.Algorithm)
	if err != nil {
		return err
	}
	login, err := sd.login(ctx, "bench|prober", "read")
	chains, err2 := sd.refreshTokens(ctx, refreshChains, "offline_access read")
	if err := errors.Join(err, err2, sd.close()); err != nil {
		return err
	}
	srv, err := start(ctx, o, s)
	if err != nil {
		return err
	}
	p := &prober{srv: srv, access: login.AccessToken, chains: chains, turns: make([]sync.Mutex, len(chains))}
	fmt.Printf("### %d people sign in within %s\n\n", loginPeople, loginWithin)
	fmt.Println("| | signed in | took | server CPU | guarded p50 | p99 | refresh p50 | p99 |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for range o.rounds {
		quiet := p.during(ctx, func() { time.Sleep(time.Duration(o.seconds) * time.Second) })
		fmt.Printf("| quiet | | | | %s\n", quiet)
		for _, cost := range loginCosts {
			var signedIn int
			var took, used time.Duration
			burst := p.during(ctx, func() {
				before, _ := srv.cpu()
				begun := time.Now()
				signedIn = srv.signInAll(ctx, cost)
				took = time.Since(begun)
				after, _ := srv.cpu()
				used = after - before
			})
			fmt.Printf("| burst, bcrypt cost %d | %d of %d | %.1f s | %.1f s | %s\n", cost, signedIn, loginPeople, took.Seconds(), used.Seconds(), burst)
		}
	}
	fmt.Println()
	return errors.Join(p.failed, srv.stop())
}

// loginUsers writes the users file. One hash of each cost will do: it is
// compared for each of them.
func loginUsers(path string) (string, error) {
	var lines strings.Builder
	for _, cost := range loginCosts {
		hash, err := bcrypt.GenerateFromPassword([]byte(loginPassword), cost)
		if err != nil {
			return "", err
		}
		for i := range loginPeople {
			fmt.Fprintf(&lines, "%s:%s\n", personName(cost, i), hash)
		}
	}
	return path, os.WriteFile(path, []byte(lines.String()), 0o600)
}

func personName(cost, i int) string { return fmt.Sprintf("cost%d-%d", cost, i) }

// signInAll lets everybody sign in, and returns how many are in.
func (s *server) signInAll(ctx context.Context, cost int) (signedIn int) {
	transport := &http.Transport{MaxIdleConnsPerHost: loginPeople}
	defer transport.CloseIdleConnections()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range loginPeople {
		wg.Go(func() {
			if s.signIn(ctx, transport, personName(cost, i)) == nil {
				mu.Lock()
				defer mu.Unlock()
				signedIn++
			}
		})
		time.Sleep(loginWithin / loginPeople)
	}
	wg.Wait()
	return signedIn
}

var ticketField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// signIn does what the browser of a person does.
func (s *server) signIn(ctx context.Context, transport http.RoundTripper, name string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := &http.Client{
		Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	challenge := sha256.Sum256([]byte(strings.Repeat("v", 43)))
	page, err := ask(ctx, client, http.MethodGet, s.auth+"authorize?"+url.Values{
		"client_id": {"spa"}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid read"}, "audience": {audience},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil, "")
	if err != nil {
		return err
	}
	ticket := ticketField.FindStringSubmatch(page.body)
	if ticket == nil {
		return errors.New("signing in: there is no login page")
	}
	res, err := ask(ctx, client, http.MethodPost, s.auth+"login", url.Values{
		"request": {ticket[1]}, "login": {"local"}, "username": {name}, "password": {loginPassword}, "action": {"login"},
	}, "")
	if err != nil {
		return err
	}
	if !strings.Contains(res.location, "code=") {
		return fmt.Errorf("signing in: status %d", res.status)
	}
	return nil
}

// answer is what came back.
type answer struct {
	status         int
	location, body string
}

// send sends a request and reads the answer.
func ask(ctx context.Context, client *http.Client, method, target string, form url.Values, bearer string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header.Get("Location"), string(body)}, err
}

// prober sends guarded requests and refreshes at a fixed rate.
type prober struct {
	srv    *server
	access string
	chains []string
	turns  []sync.Mutex // one for each chain
	next   atomic.Int64
	mu     sync.Mutex
	failed error
}

// probed are the latencies of one measurement.
type probed struct{ guarded, refreshed []time.Duration }

func (p probed) String() string {
	return fmt.Sprintf("%s | %s |", quantiles(p.guarded), quantiles(p.refreshed))
}

func quantiles(d []time.Duration) string {
	if len(d) == 0 {
		return "| "
	}
	slices.Sort(d)
	return fmt.Sprintf("%.2f ms | %.2f ms", milliseconds(d[len(d)/2]), milliseconds(d[len(d)*99/100]))
}

// during probes while something else happens.
func (p *prober) during(ctx context.Context, what func()) (res probed) {
	ctx, cancel := context.WithCancel(ctx)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	wg.Go(func() {
		res.guarded = p.each(ctx, guardedEvery, func(ctx context.Context) error {
			res, err := ask(ctx, client, http.MethodGet, p.srv.base+"/guarded", nil, p.access)
			if err == nil && res.status != http.StatusOK {
				err = fmt.Errorf("probing guarded route: status %d", res.status)
			}
			return err
		})
	})
	wg.Go(func() {
		res.refreshed = p.each(ctx, refreshedEvery, func(ctx context.Context) error {
			i := int(p.next.Add(1)) % len(p.chains)
			p.turns[i].Lock()
			defer p.turns[i].Unlock()
			var err error
			p.chains[i], err = refreshOnce(ctx, client, p.srv.auth+"oauth/token", p.chains[i])
			return err
		})
	})
	what()
	cancel()
	wg.Wait()
	return res
}

// each calls work at a fixed rate until ctx ends, and returns how long after its
// time each call was through.
func (p *prober) each(ctx context.Context, every time.Duration, work func(context.Context) error) (took []time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var mu sync.Mutex
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			wg.Wait()
			return took
		case due := <-tick.C:
			wg.Go(func() {
				err := work(context.WithoutCancel(ctx))
				mu.Lock()
				took = append(took, time.Since(due))
				mu.Unlock()
				if err != nil {
					p.mu.Lock()
					p.failed = errors.Join(p.failed, err)
					p.mu.Unlock()
				}
			})
		}
	}
}
