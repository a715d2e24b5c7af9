package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// ErrNoServer is the answer where nothing issues tokens.
var ErrNoServer = refusal(http.StatusNotFound, errors.New("no authorization server is running: add the global option `oauth`, or wait until it has started"))

// Serve answers a request, whose parameters are in the path and the query. A
// subject, client or family that nobody knows is answered 404, with the likely one;
// for what changes something, `force=true` does it anyway. What changes something is
// logged and counted as the event `oauth.admin`.
//
// Answers are JSON. Those that read the whole store are a stream of lines, one JSON
// object each: items as they are found, `progress`, and at the end `done` or `error`.
func (a *API) Serve(w http.ResponseWriter, r *http.Request) error {
	action, name, err := route(r)
	if err != nil {
		return err
	}
	if a.Issuer != nil {
		if err := a.Open(); err != nil && !action.StoreOptional {
			return refusal(http.StatusServiceUnavailable, err)
		}
		defer a.Begin()()
	} else if !action.GuardsToo {
		return ErrNoServer
	}
	c := &call{Request: r.WithContext(auditContext(r)), name: name, w: w}
	answer, err := action.answer(a, c)
	err = coreError(err)
	if action.Audit != "" && !c.dry {
		c.event.Kind, c.event.Outcome, c.event.Cause = oauth.EventAdmin, oauth.Outcome(action.Audit), err
		a.Observer.Happened(c.Context(), c.event)
	}
	switch {
	case c.sent:
		return nil
	case c.stream != nil:
		return c.stream.end(answer, err)
	case err != nil:
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.Log.Debug("writing admin answer", zap.Error(err))
	}
	return nil
}

// route finds the action by method and path, and the parameter in the path,
// which may hold escaped slashes.
func route(r *http.Request) (action *Action, name string, err error) {
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), Base), "/")
	known := false
	for _, action := range Actions {
		name, ok := matchPath(strings.Split(action.Path, "/"), path)
		if !ok {
			continue
		}
		known = true
		if action.Method == r.Method {
			return action, name, nil
		}
	}
	if known {
		return nil, "", refusal(http.StatusMethodNotAllowed, fmt.Errorf("method not allowed: %s", r.Method))
	}
	return nil, "", refusal(http.StatusNotFound, fmt.Errorf("resource not found: %s", r.URL.Path))
}

func matchPath(pattern, path []string) (name string, ok bool) {
	if len(pattern) != len(path) {
		return "", false
	}
	for i, p := range pattern {
		if _, ok := parameterName(p); !ok {
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
