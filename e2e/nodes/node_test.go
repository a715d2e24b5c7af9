package nodes

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// node is one gateway: a Caddy process.
type node struct {
	site  *site
	name  string
	dir   string
	store string // instead of the site's
	caddy string // instead of the program of all nodes

	authPort, apiPort, wikiPort int

	admin  string
	client *http.Client // its connections all lead to this node
	log    string       // file

	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{}
}

func (s *site) newNode(name string) *node {
	s.t.Helper()
	n := &node{site: s, name: name, dir: s.t.TempDir(), authPort: redistest.FreePort(s.t), apiPort: redistest.FreePort(s.t), wikiPort: redistest.FreePort(s.t)}
	n.admin = fmt.Sprintf("localhost:%d", redistest.FreePort(s.t))
	n.log = filepath.Join(n.dir, "caddy.log")
	issuer, _ := url.Parse(s.issuer)
	var dialer net.Dialer
	n.client = &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 256,
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				port := n.apiPort
				switch addr {
				case issuer.Host:
					port = n.authPort
				case strings.TrimPrefix(s.wiki, "http://"):
					port = n.wikiPort
				}
				return dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.t.Cleanup(func() {
		n.stop()
		n.client.CloseIdleConnections()
		text, _ := os.ReadFile(n.log)
		if i := bytes.Index(text, []byte("panic")); i >= 0 {
			s.t.Errorf("node %s has panicked: %s", name, text[i:min(i+4000, len(text))])
		} else if s.t.Failed() {
			s.t.Logf("what node %s complained of last:\n%s", name, complaints(text))
		}
	})
	return n
}

// write writes the node's Caddyfile and returns its path.
func (n *node) write() string {
	file := filepath.Join(n.dir, "Caddyfile")
	if err := os.WriteFile(file, n.site.caddyfile(n), 0o600); err != nil {
		n.site.t.Error(err)
	}
	return file
}

// start runs the process.
func (n *node) start() {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.site.t.Error(err)
		return
	}
	defer log.Close()
	cmd := exec.Command(cmp.Or(n.caddy, caddy), "run", "--adapter", "caddyfile", "--config", n.write())
	cmd.Env = append(os.Environ(), "HOME="+n.dir, "XDG_DATA_HOME="+n.dir, "XDG_CONFIG_HOME="+n.dir)
	cmd.Env = append(cmd.Env, n.site.options.Env...)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		n.site.t.Error(err)
		return
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.process, n.exited = cmd, exited
}

// await waits until the node serves.
func (n *node) await() {
	n.site.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if resp, err := n.client.Get(n.site.issuer + ".well-known/jwks.json"); err == nil {
			resp.Body.Close()
			if _, err := n.adminDo(http.MethodGet, "/config/", "", nil); err == nil { // which waits until all of it has begun
				return
			}
		}
		select {
		case <-n.exited:
			n.site.t.Fatalf("node %s has ended: %s", n.name, n.logs())
		default:
		}
	}
	n.site.t.Fatalf("node %s does not serve: %s", n.name, n.logs())
}

// stop ends the process in the orderly way.
func (n *node) stop() { n.end(os.Interrupt) }

// kill ends it as kill -9 does.
func (n *node) kill() { n.end(os.Kill) }

func (n *node) end(signal os.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return
	}
	_ = n.process.Process.Signal(signal)
	select {
	case <-n.exited:
	case <-time.After(20 * time.Second):
		_ = n.process.Process.Kill()
		<-n.exited
		n.site.t.Errorf("node %s did not end within 20 s of %v", n.name, signal)
	}
	n.process = nil
}

// reload gives the node its site's configuration as it is now.
func (n *node) reload() error { return n.reloadWith(func(*siteOptions) {}) }

// reloadWith is reload with a change for this node.
func (n *node) reloadWith(change func(*siteOptions)) error {
	o := n.site.options
	change(&o)
	_, err := n.adminDo(http.MethodPost, "/load", "text/caddyfile", n.site.configure(n, o))
	return err
}

// adminDo asks the node's admin API.
func (n *node) adminDo(method, path, contentType string, body []byte) (string, error) {
	r, err := http.NewRequest(method, "http://"+n.admin+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", contentType)
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s at node %s: %d %s", method, path, n.name, resp.StatusCode, text)
	}
	return string(text), err
}

// complaints are the last warnings and errors of a log: what a node did in the
// usual course would hide why a test has failed.
func complaints(log []byte) string {
	const most = 1500 // bytes
	var lines []string
	for line := range strings.Lines(string(log)) {
		if !strings.Contains(line, `"level":"info"`) && !strings.Contains(line, `"level":"debug"`) {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, "")
	return text[max(0, len(text)-most):]
}

func (n *node) logs() string {
	text, _ := os.ReadFile(n.log)
	return string(text)
}

// metric reads a metric of the node; the parts of its labels that are given
// choose among several, and those are added up.
func (n *node) metric(name string, labels ...string) (float64, error) {
	text, err := n.adminDo(http.MethodGet, "/metrics", "", nil)
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
lines:
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); !ok || !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, "{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(line, label) {
				continue lines
			}
		}
		fields := strings.Fields(line)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, err
		}
		sum, found = sum+value, true
	}
	if !found {
		return 0, fmt.Errorf("node %s has no metric %s %v", n.name, name, labels)
	}
	return sum, nil
}

// sample looks at what the process holds.
func (n *node) sample() (history.Sample, error) {
	_, err := n.adminDo(http.MethodGet, "/debug/pprof/heap?gc=1", "", nil) // collects the garbage
	heap, err1 := n.metric("go_memstats_heap_alloc_bytes")
	goroutines, err2 := n.metric("go_goroutines")
	files, err3 := n.metric("process_open_fds")
	return history.Sample{At: n.site.history.Now(), Goroutines: goroutines, Files: files, Heap: heap}, errors.Join(err, err1, err2, err3)
}

// logged reports whether a line of the log holds all the parts.
func (n *node) logged(parts ...string) bool {
	lines := bufio.NewScanner(strings.NewReader(n.logs()))
	lines.Buffer(nil, 1<<20)
lines:
	for lines.Scan() {
		for _, part := range parts {
			if !strings.Contains(lines.Text(), part) {
				continue lines
			}
		}
		return true
	}
	return false
}
