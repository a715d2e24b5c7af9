package caddymodule

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminBase is the path of the admin endpoints.
const adminBase = "/oauth/"

// adminAPI is Caddy's admin API for grants and keys:
//
//	GET    /oauth/grants?subject=…             the live refresh token families of a subject
//	DELETE /oauth/grants?subject=…[&family=…]  ends them, or one, and their access tokens
//	POST   /oauth/clients/<id>/end             ends all that a client holds until now
//	POST   /oauth/keys/rotate[?immediate=true] makes new signing keys
//	GET    /oauth/stats                        counts, keys and the state of the store
type adminAPI struct {
	app *App
	log *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.oauth",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Provision finds the app. A configuration without one is fine, and one whose
// app fails is reported when Caddy loads the app itself.
func (a *adminAPI) Provision(ctx caddy.Context) error {
	a.log = ctx.Logger(a)
	if app, err := ctx.AppIfConfigured("oauth"); err == nil {
		a.app = app.(*App)
	}
	return nil
}

// Routes returns the admin routes.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminBase, Handler: caddy.AdminHandlerFunc(a.serve)}}
}

func (a *adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	if a.app == nil || a.app.runtime == nil {
		return adminError(http.StatusNotFound, errors.New("no authorization server is configured: add the global option `oauth`"))
	}
	run, err := a.route(r)
	if err != nil {
		return err
	}
	if err := a.app.runtime.ready(); err != nil {
		return adminError(http.StatusServiceUnavailable, err)
	}
	answer, err := run(r)
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

type adminFunc func(*http.Request) (any, error)

// route finds the action by method and path. Client ids may hold escaped slashes.
func (a *adminAPI) route(r *http.Request) (adminFunc, error) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), adminBase)
	methods := map[string]adminFunc{}
	switch client, isEnd := clientToEnd(path); {
	case path == "grants":
		methods[http.MethodGet], methods[http.MethodDelete] = a.listGrants, a.endGrants
	case path == "keys/rotate":
		methods[http.MethodPost] = a.rotateKeys
	case path == "stats":
		methods[http.MethodGet] = a.stats
	case isEnd:
		methods[http.MethodPost] = func(r *http.Request) (any, error) { return a.endClient(r, client) }
	default:
		return nil, adminError(http.StatusNotFound, fmt.Errorf("resource not found: %s", r.URL.Path))
	}
	run, ok := methods[r.Method]
	if !ok {
		return nil, adminError(http.StatusMethodNotAllowed, fmt.Errorf("method not allowed: %s", r.Method))
	}
	return run, nil
}

// clientToEnd reads `clients/<id>/end`.
func clientToEnd(path string) (id string, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 3 || parts[0] != "clients" || parts[2] != "end" {
		return "", false
	}
	id, err := url.PathUnescape(parts[1])
	return id, err == nil && id != ""
}

// grantInfo is one family as operators see it.
type grantInfo struct {
	Family      string     `json:"family"`
	Client      string     `json:"client"`
	Created     time.Time  `json:"created"`
	AuthTime    time.Time  `json:"auth_time"`
	LastUsed    time.Time  `json:"last_used"`
	Expires     *time.Time `json:"expires,omitempty"`
	IdleExpires *time.Time `json:"idle_expires,omitempty"`
	Generation  uint32     `json:"generation"`
}

// grantList answers GET /oauth/grants.
type grantList struct {
	Subject string      `json:"subject"`
	Grants  []grantInfo `json:"grants"`
}

// ended answers what ends grants.
type ended struct {
	Ended int `json:"ended"` // refresh token families that lived until now
}

func (a *adminAPI) listGrants(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	families, err := a.app.runtime.issuer.Grants(r.Context(), subject)
	if err != nil {
		return nil, coreError(err)
	}
	list := grantList{Subject: subject, Grants: make([]grantInfo, 0, len(families))}
	for _, f := range families {
		list.Grants = append(list.Grants, a.describe(f))
	}
	return list, nil
}

func (a *adminAPI) describe(f tokens.Family) grantInfo {
	client := a.app.runtime.issuer.ClientOf(f)
	if client == "" {
		client = "(removed) " + hex.EncodeToString(f.Client[:])
	}
	return grantInfo{
		Family:      f.ID.String(),
		Client:      client,
		Created:     f.Created.UTC(),
		AuthTime:    f.AuthTime.UTC(),
		LastUsed:    f.Rotated.UTC(),
		Expires:     optionalTime(f.Expires),
		IdleExpires: optionalTime(f.IdleExpires),
		Generation:  f.Generation,
	}
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (a *adminAPI) endGrants(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	issuer := a.app.runtime.issuer
	if !r.URL.Query().Has("family") {
		result, err := issuer.EndUser(r.Context(), subject)
		if err != nil {
			return nil, coreError(err)
		}
		return ended{len(result.Families)}, nil
	}
	family, ok := tokens.ParseFamilyID(r.URL.Query().Get("family"))
	if !ok {
		return nil, adminError(http.StatusBadRequest, errors.New("family: not a family id as GET /oauth/grants lists them"))
	}
	lives, err := a.lives(r, subject, family)
	if err != nil {
		return nil, err
	}
	// A family that does not exist is ended all the same: it may begin at this moment.
	if err := issuer.EndGrant(r.Context(), tokens.TagSubject(subject), family, ""); err != nil {
		return nil, coreError(err)
	}
	if !lives {
		return ended{}, nil
	}
	return ended{1}, nil
}

func (a *adminAPI) lives(r *http.Request, subject string, family tokens.FamilyID) (bool, error) {
	families, err := a.app.runtime.issuer.Grants(r.Context(), subject)
	return slices.ContainsFunc(families, func(f tokens.Family) bool { return f.ID == family }), coreError(err)
}

func (a *adminAPI) endClient(r *http.Request, id string) (any, error) {
	if err := a.app.runtime.issuer.EndClient(r.Context(), id); err != nil {
		return nil, coreError(err)
	}
	return struct{}{}, nil
}

// keyList answers POST /oauth/keys/rotate.
type keyList struct {
	Keys []tokens.KeyInfo `json:"keys"`
}

func (a *adminAPI) rotateKeys(r *http.Request) (any, error) {
	immediate := false
	switch v := r.URL.Query().Get("immediate"); v {
	case "", "false":
	case "true":
		immediate = true
	default:
		return nil, adminError(http.StatusBadRequest, errors.New("immediate: write true or false"))
	}
	keys := a.app.runtime.shared.state.Keys
	if err := keys.Rotate(r.Context(), immediate); err != nil {
		return nil, coreError(err)
	}
	return keyList{Keys: keys.Keys()}, nil
}

func (a *adminAPI) stats(*http.Request) (any, error) { return a.app.runtime.stats(), nil }

func subjectOf(r *http.Request) (string, error) {
	subject := r.URL.Query().Get("subject")
	if subject == "" {
		return "", adminError(http.StatusBadRequest, errors.New("subject: missing; it is the `sub` of the tokens, such as local|alice"))
	}
	return subject, nil
}

// coreError puts a refusal of the core into the admin API's form. Nil stays nil.
func coreError(err error) error {
	if err == nil {
		return nil
	}
	if e := tokens.AsError(err); e.Code != tokens.TemporarilyUnavailable {
		return adminError(http.StatusBadRequest, err)
	}
	return adminError(http.StatusServiceUnavailable, err)
}

func adminError(status int, err error) error {
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// Interface guards
var (
	_ caddy.AdminRouter = (*adminAPI)(nil)
	_ caddy.Provisioner = (*adminAPI)(nil)
)
