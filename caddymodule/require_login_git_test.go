package caddymodule

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// gitServer is Git's own server behind a proxy login: it takes a push from who is in REMOTE_USER,
// which a header says.
type gitServer struct {
	*httptest.Server
	mu    sync.Mutex
	users []string
}

func startGitServer(t *testing.T, dir string) *gitServer {
	t.Helper()
	at := strings.TrimSpace(git(t, dir, nil, "--exec-path"))
	s := new(gitServer)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := r.Header.Get("X-WEBAUTH-USER")
		s.mu.Lock()
		s.users = append(s.users, user)
		s.mu.Unlock()
		backend := cgi.Handler{Path: filepath.Join(at, "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1"}}
		if user != "" {
			backend.Env = append(backend.Env, "REMOTE_USER="+user)
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// asked returns the users of the requests since the last time, each once.
func (s *gitServer) asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var once []string
	for _, user := range s.users {
		if len(once) == 0 || once[len(once)-1] != user {
			once = append(once, user)
		}
	}
	s.users = nil
	return strings.Join(once, " ")
}

// git runs git without anybody's settings, and returns what it says. Without failed it must not fail.
func git(t *testing.T, dir string, failed *bool, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "no_proxy=*",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if failed != nil {
		*failed = err != nil
	} else if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

var shownKey = regexp.MustCompile(`gk1\.[\w-]+`)

// newKey makes an app key at /account.
func (b *browser) newKey() string {
	b.g.t.Helper()
	_, page := b.open(b.g.url("/account/keys"))
	ticket := ticketField.FindStringSubmatch(page)
	if ticket == nil {
		b.g.t.Fatalf("no form for keys: %s", page)
	}
	_, page = b.do(http.MethodPost, b.g.url("/account/keys"), url.Values{"request": {ticket[1]}, "site": {b.g.API}, "name": {"git"}}, "Origin", strings.TrimSuffix(b.g.Issuer, "/"))
	key := shownKey.FindString(page)
	if key == "" {
		b.g.t.Fatalf("no key: %s", page)
	}
	return key
}

// TestP2Git: row P2, and H1 with it: git itself clones and pushes with a person's app key as the
// password, as that person whatever it says of itself, and with nothing else.
func TestP2Git(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, nil, "init", "--quiet", "--bare", "-b", "main", "repo.git")
	server := startGitServer(t, dir)
	g := startSite(t, "require_login {\norigin ORIGIN\nlogins local\nheaders gitea\nkeys\n}\nreverse_proxy "+strings.TrimPrefix(server.URL, "http://"))
	b := g.browser()
	b.signIn(g.API + "/repo.git/HEAD")
	server.asked()
	key := b.newKey()
	remote := strings.Replace(g.API, "http://", "http://anybody:"+key+"@", 1) + "/repo.git"

	git(t, dir, nil, "clone", "--quiet", remote, "work")
	work := filepath.Join(dir, "work")
	git(t, work, nil, "commit", "--quiet", "--allow-empty", "-m", "first")
	git(t, work, nil, "-c", "http.extraHeader=X-WEBAUTH-USER: root", "-c", "http.extraHeader=X_WEBAUTH_USER: root", "push", "--quiet", "origin", "main")
	if got := server.asked(); got != "alice" {
		t.Errorf("git comes as %q", got)
	}
	if pushed := git(t, dir, nil, "-C", "repo.git", "log", "--format=%s", "main"); pushed != "first\n" {
		t.Errorf("pushed %q", pushed)
	}
	var failed bool
	for name, address := range map[string]string{"nobody": g.API + "/repo.git", "a bad key": strings.Replace(remote, key, key+"A", 1), "a password": strings.Replace(remote, key, testPassword, 1)} {
		if said := git(t, dir, &failed, "ls-remote", address); !failed || strings.Contains(said, "html") {
			t.Errorf("%s: comes in: %s", name, said)
		}
	}
	if out, err := g.run("users", "end", "local|alice"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if said := git(t, work, &failed, "push", "--quiet", "origin", "main"); !failed {
		t.Errorf("after the end of the person: %s", said)
	}
	if got := server.asked(); got != "" {
		t.Errorf("somebody comes as %q", got)
	}
}
