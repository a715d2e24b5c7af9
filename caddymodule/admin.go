package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// adminBase is the path of the admin endpoints.
const adminBase = "/oauth/"

// adminAPI is the admin API of one app, for grants, users and keys. What it changes is
// logged and counted as the event `oauth.admin`. Answers are JSON; those marked
// with * read the whole store and are a stream of lines, one JSON object each:
// items as they are found, `progress`, and at the end `done` or `error`.
//
//	GET    /oauth/grants?subject=…                 the live refresh token families of a subject
//	GET    /oauth/grants?client=…                * of a client's users
//	GET    /oauth/grants?family=…[&subject=…]      of one id; without the subject, all users are looked through
//	DELETE /oauth/grants?subject=…                 ends all that a subject has: families, sessions, access tokens
//	DELETE /oauth/grants?family=…[&subject=…]      ends one family and its access tokens
//	DELETE /oauth/grants?before=…                * ends what comes from logins until then (RFC 3339), with
//	       &subject=… | &client=… | &everyone=true  whom it is about
//	POST   /oauth/clients/<id>/end                 ends all that a client holds until now; over a Redis Cluster it is
//	       answered when every gateway must have heard of it, some seconds later than max_lag, and till then not final
//	POST   /oauth/everyone/end                     ends all that anybody has until now: sessions and all tokens; likewise
//	GET    /oauth/users/<subject>                  what is known of a subject; its hash, as in the log, will do as well
//	GET    /oauth/users?disabled=true            * everybody who is disabled
//	POST   /oauth/users/<subject>/disable          ends all that a subject has, and refuses it until
//	POST   /oauth/users/<subject>/enable
//	POST   /oauth/tokens/deny                      denies an access token: {"token": …} or {"subject": …, "jti": …}
//	GET    /oauth/keys                             the signing keys
//	POST   /oauth/keys/rotate[?immediate=true]     makes new ones
//	DELETE /oauth/keys/<kid>                       forgets one; what it has signed is refused at once
//	POST   /oauth/export                         * stops the store and brings all state (docs/moving.md)
//	POST   /oauth/backup                           a tar of an embedded store as it is now: its database, the secret
//	       that was generated for it, and at the end `end`, without which it has broken off
//	DELETE /oauth/export                           lets a store go on whose export is called off
//	GET    /oauth/explain/<family or request id>   what became of a family, and why
//	GET    /oauth/issuers                          the other issuers whose tokens are taken
//	POST   /oauth/issuers/purge?issuer=…           forgets an issuer's keys on this node, and fetches them anew
//	GET    /oauth/stats                            counts, keys and the state of the store
//
// A subject, client or family that nobody knows is answered 404, with the likely
// one; for what changes something, `force=true` does it all the same.
type adminAPI struct {
	app *App
	log *zap.Logger
}

// adminAction is one thing that the admin API does.
type adminAction struct {
	method string
	path   string // below adminBase; * stands for one segment
	audit  string // the outcome of the event; "" for what only reads
	run    func(*adminCall) (any, error)
}

// actions are all of them.
func (a *adminAPI) actions() []adminAction {
	return []adminAction{
		{http.MethodGet, "grants", "", a.listGrants},
		{http.MethodDelete, "grants", "end_grants", a.endGrants},
		{http.MethodPost, "clients/*/end", "end_client", a.endClient},
		{http.MethodPost, "everyone/end", "end_everyone", a.endEveryone},
		{http.MethodGet, "users", "", a.listUsers},
		{http.MethodGet, "users/*", "", a.showUser},
		{http.MethodPost, "users/*/disable", "disable_user", a.disableUser},
		{http.MethodPost, "users/*/enable", "enable_user", a.enableUser},
		{http.MethodPost, "tokens/deny", "deny_token", a.denyToken},
		{http.MethodGet, "keys", "", a.listKeys},
		{http.MethodPost, "keys/rotate", "rotate_keys", a.rotateKeys},
		{http.MethodDelete, "keys/*", "drop_key", a.dropKey},
		{http.MethodPost, "backup", "backup", a.backup},
		{http.MethodPost, "export", "export", a.export},
		{http.MethodDelete, "export", "undo_export", a.undoExport},
		{http.MethodGet, "explain/*", "", a.explain},
		{http.MethodGet, "issuers", "", a.listIssuers},
		{http.MethodPost, "issuers/purge", "purge_issuer", a.purgeIssuer},
		{http.MethodGet, "stats", "", a.stats},
	}
}

// adminCall is one request.
type adminCall struct {
	*http.Request
	name   string       // the segment that * stands for
	event  tokens.Event // what the audit says beside the action
	w      http.ResponseWriter
	stream *lineStream // nil until the answer is one
	sent   bool        // the answer is written
}

// get returns a parameter of the query.
func (c *adminCall) get(name string) string { return c.URL.Query().Get(name) }

func (a *adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	action, name, err := a.route(r)
	if err != nil {
		return err
	}
	if err := a.ready(r.URL.Path); err != nil {
		return adminError(http.StatusServiceUnavailable, err)
	}
	if !a.app.bare() {
		defer a.app.runtime.hold.begin()()
	}
	c := &adminCall{Request: r.WithContext(adminContext(r)), name: name, w: w}
	answer, err := action.run(c)
	if action.audit != "" {
		c.event.Kind, c.event.Outcome, c.event.Cause = tokens.EventAdmin, tokens.Outcome(action.audit), err
		a.app.observer.Happened(c.Context(), c.event)
	}
	switch {
	case c.sent:
		return nil
	case c.stream != nil:
		return c.stream.end(answer, err)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.log.Debug("writing admin answer", zap.Error(err))
	}
	return nil
}

// ready opens the store. Why it can't be used is among the stats; an app
// without one has nothing to open.
func (a *adminAPI) ready(path string) error {
	if a.app.bare() {
		return nil
	}
	if err := a.app.runtime.ready(); err != nil && path != adminBase+"stats" {
		return err
	}
	return nil
}

// adminContext tells the audit who asks: as far as that is known, an address.
func adminContext(r *http.Request) context.Context {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ctx := context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())
	return context.WithValue(ctx, caddyhttp.VarsCtxKey, map[string]any{caddyhttp.ClientIPVarKey: host})
}

// route finds the action by method and path. Names may hold escaped slashes.
func (a *adminAPI) route(r *http.Request) (adminAction, string, error) {
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), adminBase), "/")
	known := false
	for _, action := range a.actions() {
		name, ok := matchPath(strings.Split(action.path, "/"), path)
		if !ok {
			continue
		}
		known = true
		if action.method == r.Method {
			return action, name, nil
		}
	}
	if known {
		return adminAction{}, "", adminError(http.StatusMethodNotAllowed, fmt.Errorf("method not allowed: %s", r.Method))
	}
	return adminAction{}, "", adminError(http.StatusNotFound, fmt.Errorf("resource not found: %s", r.URL.Path))
}

func matchPath(pattern, path []string) (name string, ok bool) {
	if len(pattern) != len(path) {
		return "", false
	}
	for i, p := range pattern {
		if p != "*" {
			if p != path[i] {
				return "", false
			}
			continue
		}
		var err error
		if name, err = url.PathUnescape(path[i]); err != nil || name == "" {
			return "", false
		}
	}
	return name, true
}

func (a *adminAPI) stats(*adminCall) (any, error) { return a.app.runtime.stats(), nil }

// issuer returns the core.
func (a *adminAPI) issuer() *tokens.Issuer { return a.app.runtime.issuer }

// coreError puts a refusal of the core into the admin API's form. Nil stays nil.
func coreError(err error) error {
	var answered caddy.APIError
	if err == nil || errors.As(err, &answered) {
		return err
	}
	if e := tokens.AsError(err); e.Code != tokens.TemporarilyUnavailable {
		return adminError(http.StatusBadRequest, err)
	}
	return adminError(http.StatusServiceUnavailable, err)
}

func adminError(status int, err error) error {
	return caddy.APIError{HTTPStatus: status, Err: err}
}

func badRequest(format string, args ...any) error {
	return adminError(http.StatusBadRequest, fmt.Errorf(format, args...))
}

// flushEvery is how long lines of a stream wait at most for company.
const flushEvery = 200 * time.Millisecond

// lineStream is an answer of many lines.
type lineStream struct {
	w       http.ResponseWriter
	out     *json.Encoder
	flushed time.Time
}

// patient lets an answer take as long as it must: the server's limit for
// reading a request would end this one's context.
func (c *adminCall) patient() {
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
}

// prepare makes room for an answer of many lines, however long it takes.
func (c *adminCall) prepare() {
	c.patient()
	c.w.Header().Set("Content-Type", "application/x-ndjson")
	c.w.Header().Set("Cache-Control", "no-store")
}

// begin makes the answer a stream.
func (c *adminCall) begin() *lineStream {
	c.prepare()
	c.stream = &lineStream{w: c.w, out: json.NewEncoder(c.w), flushed: time.Now()}
	return c.stream
}

// line writes one object with one member.
func (s *lineStream) line(name string, value any) error {
	if err := s.out.Encode(map[string]any{name: value}); err != nil {
		return err
	}
	if now := time.Now(); now.Sub(s.flushed) >= flushEvery {
		s.flushed = now
		_ = http.NewResponseController(s.w).Flush()
	}
	return nil
}

// progress writes a line if the last one was some time ago.
func (s *lineStream) progress(value any) {
	if time.Since(s.flushed) >= flushEvery {
		_ = s.line("progress", value)
	}
}

// end writes the last line. It returns no error: the status is written.
func (s *lineStream) end(answer any, err error) error {
	if err != nil {
		return s.line("error", err.Error())
	}
	return s.line("done", answer)
}
