package caddymodule

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
)

func TestReloadWithAWrongSecretChangesNothing(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	session := g.login()
	// Caddy starts apps in any order: when http comes first, a request may meet
	// the refused configuration before it is taken back. It is told to come again.
	stop, failures := g.keepRefreshing(session.RefreshToken, http.StatusServiceUnavailable)
	for range 20 {
		err := g.load(gatewayOptions{Secret: NewGatewaySecret()})
		if err == nil {
			t.Fatal("a reload with another secret succeeded")
		}
		if !strings.Contains(err.Error(), "another secret") {
			t.Fatalf("the error does not say what is wrong: %v", err)
		}
	}
	stop()
	if n := failures(); n > 0 {
		t.Errorf("%d refreshes were refused meanwhile", n)
	}
}

// keepRefreshing rotates one family until stopped. A cut connection is retried
// with the same token, as an SDK does, and so is an answer that says `again`. It
// counts other answers than 200.
func (g *gateway) keepRefreshing(token string, again ...int) (stop func(), failures func() int64) {
	var failed, rotated atomic.Int64
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			next, status := g.tryRefresh(token)
			switch {
			case status == http.StatusOK:
				token = next
				rotated.Add(1)
			case status != 0 && !slices.Contains(again, status):
				failed.Add(1)
				g.t.Logf("a refresh was answered %d %s", status, next)
				return
			}
		}
	})
	return func() {
			eventually(g.t, "a refresh", func() bool { return rotated.Load() > 0 || failed.Load() > 0 })
			close(done)
			wg.Wait()
		}, func() int64 {
			return failed.Load()
		}
}

// tryRefresh is refresh for goroutines. It returns the next token or the text of
// the refusal; status 0 is a connection that failed.
func (g *gateway) tryRefresh(token string) (next string, status int) {
	form := "grant_type=refresh_token&client_id=my-spa&refresh_token=" + token
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, g.url("/oauth/token"), strings.NewReader(form))
	if err != nil {
		return "", 0
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := g.client.Do(r)
	if err != nil {
		return "", 0
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", 0
	}
	if resp.StatusCode != http.StatusOK {
		return string(body), resp.StatusCode
	}
	var answer tokenAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", 0
	}
	return answer.RefreshToken, resp.StatusCode
}

// reloads under load lose no stored decision.
func TestReloadsUnderLoad(t *testing.T) {
	reloads := 200
	if testing.Short() {
		reloads = 10
	}
	const families = 4
	g := startGateway(t, gatewayOptions{})
	var stops []func()
	var failures []func() int64
	for range families {
		stop, failed := g.keepRefreshing(g.login().RefreshToken)
		stops, failures = append(stops, stop), append(failures, failed)
	}
	variants := []gatewayOptions{{}, {Deny: "max_lag 5s"}}
	for i := range reloads {
		if err := g.load(variants[i%len(variants)]); err != nil {
			t.Fatalf("reload %d: %v", i, err)
		}
	}
	for i, stop := range stops {
		stop()
		if n := failures[i](); n > 0 {
			t.Errorf("family %d was refused", i)
		}
	}
	eventually(t, "the old configurations to end", func() bool { return references(g.Store) == 1 })
	status, body := g.admin(http.MethodGet, "/oauth/grants?subject=local%7Calice")
	var list adminapi.GrantList
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK {
		t.Fatalf("listing grants: %d %s", status, body)
	}
	if len(list.Grants) != families {
		t.Errorf("%d families live, want %d", len(list.Grants), families)
	}
	if strings.Contains(g.logs(), "refresh_reuse_detected") {
		t.Error("a reload made an honest client look like a thief")
	}
}

// DOS-16: goroutines and files go back to where they were.
func TestReloadsLeakNothing(t *testing.T) {
	reloads := 100
	if testing.Short() {
		reloads = 5
	}
	// Caddy's reverse_proxy keeps idle connections beyond its end: not here.
	options := gatewayOptions{API: "bearer_auth {\n audience " + testAPI + "\n}\nrespond ok"}
	g := startGateway(t, options)
	g.login()
	if err := g.load(options); err != nil {
		t.Fatal(err)
	}
	settle := func() (goroutines, files int) {
		g.client.CloseIdleConnections()
		eventually(t, "one configuration to be left", func() bool { return references(g.Store) == 1 })
		return runtime.NumGoroutine(), openFiles(t)
	}
	goroutines, files := settle()
	for range reloads {
		if err := g.load(options); err != nil {
			t.Fatal(err)
		}
		g.call("/orders", g.machineToken())
	}
	const slack = 5 // of Caddy's and the client's own connections
	var nowGoroutines, nowFiles int
	eventually(t, "goroutines and files to go back", func() bool {
		nowGoroutines, nowFiles = settle()
		return nowGoroutines <= goroutines+slack && nowFiles <= files+slack
	})
	t.Logf("goroutines %d, were %d; open files %d, were %d", nowGoroutines, goroutines, nowFiles, files)
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not on Linux
	}
	return len(entries)
}

// a reload that changes the store lets old requests finish on the old one.
func TestReloadChangesTheStore(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	session := g.login()
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"my-spa"}, "refresh_token": {session.RefreshToken}}.Encode()
	host := strings.TrimPrefix(strings.TrimSuffix(g.Issuer, "/"), "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /oauth/token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Expect: 100-continue\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", host, len(form))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("the request is not under way: %q, %v", line, err)
	}
	second := filepath.Join(g.dir, "second.db")
	if err := g.load(gatewayOptions{Store: second}); err != nil {
		t.Fatal(err)
	}
	if o, n := references(g.Store), references(second); o != 1 || n != 1 {
		t.Errorf("%d references to the old store while a request is under way and %d to the new, want 1 and 1", o, n)
	}
	_, _ = answers.ReadString('\n') // the rest of the 100
	fmt.Fprint(conn, form)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var renewed tokenAnswer
	if err := json.NewDecoder(resp.Body).Decode(&renewed); err != nil || renewed.RefreshToken == "" {
		t.Errorf("the request under way got %d, %v", resp.StatusCode, err)
	}
	eventually(t, "the old store to be closed", func() bool { return references(g.Store) == 0 })
	if after := g.refresh(session.RefreshToken); after.Error != "invalid_grant" {
		t.Errorf("refresh on the new store: %d %s", after.status, after.body)
	}
	if err := g.load(gatewayOptions{}); err != nil { // and back
		t.Fatal(err)
	}
	if after := g.refresh(renewed.RefreshToken); after.AccessToken == "" {
		t.Errorf("refresh back on the old store: %d %s", after.status, after.body)
	}
}

// ADM-08, R-34: a configuration that cannot start leaves the old one as it was.
func TestFailedReloadRestoresTheSettings(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	session := g.login()
	busy, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	for i := range 10 { // apps start in no order
		err := g.load(gatewayOptions{
			Secret: g.Secret + " " + NewGatewaySecret(),
			API:    "respond ok\n}\nhttp://" + busy.Addr().String() + " {\n respond busy",
		})
		if err == nil {
			t.Fatal("a configuration started on a busy port")
		}
		if session = g.refresh(session.RefreshToken); session.AccessToken == "" {
			t.Fatalf("refresh after failed reload %d: %d %s", i, session.status, session.body)
		}
		eventually(t, "the failed configuration to end", func() bool { return references(g.Store) == 1 })
	}
	// The failed ones' secrets are forgotten: the first one alone opens the store.
	if err := g.load(gatewayOptions{}); err != nil {
		t.Fatal(err)
	}
	if after := g.refresh(session.RefreshToken); after.AccessToken == "" {
		t.Errorf("refresh with the old secret alone: %d %s", after.status, after.body)
	}
}
