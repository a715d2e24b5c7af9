package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// F13, F19, M19: what a provider may publish of itself, and what becomes of the rest. Each
// login is told why nobody can sign in, and no request of it leads elsewhere.
func TestF13F19M19Discovery(t *testing.T) {
	canary := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(canary.Close)
	set := func(name string, value any) func(*provider) {
		return func(p *provider) { p.metadata = func(d object) { d[name] = value } }
	}
	serve := func(f http.HandlerFunc) func(*provider) {
		return func(p *provider) { p.paths["/.well-known/openid-configuration"] = f }
	}
	for _, tt := range []struct {
		name string
		evil func(*provider)
		want string // of the trouble; "" for none
		told oauth.Outcome
	}{
		{"a good one", func(*provider) {}, "", ""},
		{"with a byte order mark", func(p *provider) {
			p.paths["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
				text, _ := json.Marshal(p.document())
				_, _ = w.Write(append([]byte("\xef\xbb\xbf"), text...))
			}
		}, "", ""},
		{"members of other types that only tell", func(p *provider) {
			p.metadata = func(d object) {
				d["id_token_signing_alg_values_supported"], d["scopes_supported"], d["claims_supported"] = []any{"ES256"}, "openid", []any{"sub", 7}
				d["backchannel_logout_supported"], d["acr_values_supported"] = "yes", nil
			}
		}, "", ""},
		{"Issuer", func(p *provider) { p.metadata = func(d object) { d["Issuer"] = "https://evil.example" } }, "", ""},
		{"another issuer", set("issuer", "https://evil.example"), "another issuer", oauth.LoginOtherIssuer},
		{"the issuer with a slash", func(p *provider) { p.metadata = func(d object) { d["issuer"] = p.URL + "/" } }, "another issuer", oauth.LoginOtherIssuer},
		{"no issuer", set("issuer", ""), "another issuer", oauth.LoginOtherIssuer},
		{"M19 a script", set("authorization_endpoint", "javascript:alert(1)//x"), "authorization: ", oauth.LoginNoDiscovery},
		{"M19 http", set("authorization_endpoint", "http://login.example/a"), "`insecure` allows http", oauth.LoginNoDiscovery},
		{"M19 data", set("authorization_endpoint", "data:text/html,x"), "not an https URL", oauth.LoginNoDiscovery},
		{"M19 a user", set("token_endpoint", "https://u:p@login.example/"), "not an https URL", oauth.LoginNoDiscovery},
		{"M19 a file", set("jwks_uri", "file:///etc/passwd"), "jwks: ", oauth.LoginNoDiscovery},
		{"M19 userinfo by http", set("userinfo_endpoint", "http://169.254.169.254/"), "userinfo: ", oauth.LoginNoDiscovery},
		{"no token endpoint", set("token_endpoint", ""), "endpoint token URL", oauth.LoginNoDiscovery},
		{"a number in place of a text", set("token_endpoint", 7), "token_endpoint is no text", oauth.LoginNoDiscovery},
		{"F15 a page", serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }), "not one JSON object", oauth.LoginNoDiscovery},
		{"F13 500", serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), "500", oauth.LoginNoDiscovery},
		{"F19 50 MiB", serve(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat(" ", 50<<20)))
		}), "larger than 1 MiB", oauth.LoginNoDiscovery},
		{"F19 a redirect to another host", serve(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, canary.URL, http.StatusFound)
		}), "another host", oauth.LoginNoDiscovery},
		{"F19 a redirect in circles", serve(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}), "too many redirects", oauth.LoginNoDiscovery},
		{"F19 cut", serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{}"))
		}), "EOF", oauth.LoginNoDiscovery},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			tt.evil(p)
			cfg, h := p.config(), new(heard)
			cfg.Observer = h
			o := start(t, cfg)
			_, err := o.Begin(departure())
			outcomes := h.take()
			if tt.want == "" {
				want(t, err, 0, "")
				if len(outcomes) > 0 {
					t.Errorf("told %v", outcomes)
				}
				return
			}
			want(t, err, login.FailedDown, reasonNoDiscovery)
			if trouble := o.Trouble(); trouble == nil || !strings.Contains(trouble.Error(), tt.want) {
				t.Errorf("trouble %v, want %q in it", trouble, tt.want)
			}
			if !slices.Equal(outcomes, []oauth.Outcome{tt.told}) {
				t.Errorf("told %v, want %s", outcomes, tt.told)
			}
		})
	}
}

// F14, F15: the last good document serves; another takes its place only where it is
// good, and another issuer is an alarm. That it is over is told.
func TestF14LastGoodDocument(t *testing.T) {
	p := newProvider(t)
	cfg, h := p.config(), new(heard)
	cfg.Observer = h
	o := start(t, cfg)
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	change := func(f func(object)) { p.mu.Lock(); p.metadata = f; p.mu.Unlock() }
	for _, step := range []struct {
		metadata func(object)
		ok       bool
		told     []oauth.Outcome
	}{
		{func(d object) { d["issuer"] = "https://evil.example" }, false, []oauth.Outcome{oauth.LoginOtherIssuer}},
		{func(d object) { d["token_endpoint"] = "" }, false, nil},
		{func(d object) { d["token_endpoint"] = p.URL + "/moved" }, true, []oauth.Outcome{oauth.OutcomeOK}},
		{nil, true, nil},
	} {
		change(step.metadata)
		if err := o.published.fetch(t.Context()); (err == nil) != step.ok {
			t.Errorf("fetching: %v", err)
		}
		if told := h.take(); !slices.Equal(told, step.told) {
			t.Errorf("told %v, want %v", told, step.told)
		}
		if step.ok && step.metadata != nil {
			if doc := o.published.held.Load(); doc.Token != p.URL+"/moved" {
				t.Errorf("the token endpoint is %s", doc.Token)
			}
			continue
		}
		_, err := p.signIn(t, o, login.Asked{})
		want(t, err, 0, "")
		if err := o.Trouble(); err != nil {
			t.Errorf("trouble: %v", err)
		}
	}
}

// F78: a provider at a private address is reached at the host of its issuer alone.
func TestF78PrivateProvider(t *testing.T) {
	p := newProvider(t)
	p.metadata = func(d object) { d["token_endpoint"] = strings.Replace(p.URL, "127.0.0.1", "localhost", 1) + "/token" }
	_, err := p.signIn(t, start(t, p.config()), login.Asked{})
	want(t, err, login.FailedDown, reasonUnreachable)
	if err == nil || !strings.Contains(err.Error(), "allow_private") || p.count("/token") != 0 {
		t.Errorf("error %v", err)
	}
	cfg := p.config()
	cfg.Endpoints.Token = p.URL + "/token"
	_, err = p.signIn(t, start(t, cfg), login.Asked{})
	want(t, err, 0, "")
}

// F77: all addresses are in the configuration: nothing is discovered.
func TestF77WrittenEndpoints(t *testing.T) {
	p := newProvider(t)
	cfg := p.config()
	cfg.Endpoints = Endpoints{Authorization: p.URL + "/authorize", Token: p.URL + "/token", JWKS: p.URL + "/keys"}
	cfg.Algorithms = []jose.Algorithm{jose.ES256}
	o := start(t, cfg)
	o.Start()
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	if p.count("/.well-known/openid-configuration") != 0 || o.Trouble() != nil {
		t.Errorf("discovered, or %v", o.Trouble())
	}
}

// fetches is a discovery whose answers the test gives.
type fetches struct {
	*published
	from   time.Time
	answer sync.Mutex
	began  []time.Duration // since the start
	err    error
	takes  time.Duration
}

func newFetches(takes time.Duration) *fetches {
	f := &fetches{err: errors.New("away"), takes: takes}
	begin := time.Now()
	f.from = begin
	f.published = &published{wake: make(chan struct{}, 1), told: func(_, _ *metadata, _ error) {}}
	f.discover = func(ctx context.Context) (*metadata, error) {
		f.answer.Lock()
		f.began = append(f.began, time.Since(begin))
		err, takes := f.err, f.takes
		f.answer.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(takes):
		}
		if err != nil {
			return nil, err
		}
		return new(metadata), nil
	}
	return f
}

// say changes what the next fetch comes to.
func (f *fetches) say(err error, takes time.Duration) {
	f.answer.Lock()
	defer f.answer.Unlock()
	f.err, f.takes = err, takes
}

func (f *fetches) count() int {
	f.answer.Lock()
	defer f.answer.Unlock()
	return len(f.began)
}

// F13, F14: tries come quickly, then each minute, and each hour once one has succeeded.
func TestF13Retries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFetches(0)
		f.start()
		f.start()
		time.Sleep(4*time.Minute + time.Second)
		f.say(nil, 0)
		time.Sleep(3 * time.Hour)
		f.close()
		f.start()
		var seconds []int
		for _, d := range f.began {
			seconds = append(seconds, int(d.Seconds()))
		}
		if want := []int{0, 5, 15, 35, 75, 135, 195, 255, 3855, 7455}; !slices.Equal(seconds, want) {
			t.Errorf("fetched at %v s, want %v", seconds, want)
		}
	})
}

// LOG-20: who wants to sign in meanwhile has it tried at once, one at a time, and not more
// often than each 5 s; they wait 2 s at most, and not at all for what just failed.
func TestLOG20SignInWakesDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		f := newFetches(time.Second)
		ask := func(wantHeld bool, wantWait time.Duration) {
			t.Helper()
			begin := time.Now()
			if got := f.document() != nil; got != wantHeld || time.Since(begin) != wantWait {
				t.Errorf("a document: %t, after %s, want %t, %s", got, time.Since(begin), wantHeld, wantWait)
			}
		}
		ask(false, time.Second) // 0: it starts by itself
		ask(false, 0)           // 1: that was a moment ago
		time.Sleep(time.Minute)
		synctest.Wait()
		before := f.count()
		for range 50 {
			go func() { ask(false, time.Second) }()
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := f.count() - before; n != 1 {
			t.Errorf("%d fetches for 50 people", n)
		}
		f.say(away, 8*time.Second)
		time.Sleep(10 * time.Second)
		ask(false, firstWait)
		f.say(nil, time.Second)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		ask(true, time.Second) // it is tried at once, and is back
		ask(true, 0)
		f.say(away, time.Second)
		time.Sleep(2 * time.Hour)
		ask(true, 0)
		if f.trouble() != nil {
			t.Error("the last good one is trouble")
		}
		f.close()
	})
}

// A slow provider holds up nobody beyond the time of a fetch, and the end of the
// configuration waits for nobody.
func TestF19SlowDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFetches(time.Hour)
		f.start()
		time.Sleep(requestTimeout + time.Second)
		if err := f.trouble(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("trouble %v", err)
		}
		f.close()
	})
}
