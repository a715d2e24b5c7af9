package fetch

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// H9: what an application may answer to a logout token, and that the token goes nowhere else.
func TestH9PostForm(t *testing.T) {
	const secret = "eyJ.the.token"
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	done := make(chan struct{})
	to := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/?"+r.FormValue("logout_token"), status)
		}
	}
	answers := map[string]http.HandlerFunc{
		"/ok":      func(http.ResponseWriter, *http.Request) {},
		"/nothing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"/endless": func(w http.ResponseWriter, _ *http.Request) {
			for w.(http.Flusher).Flush(); ; {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"/drips": func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-done:
			}
		},
		"/accepted": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) },
		"/broken":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, secret, http.StatusInternalServerError) },
		"/found":    to(http.StatusFound),
		"/kept":     to(http.StatusTemporaryRedirect),
		"/forever":  to(http.StatusPermanentRedirect),
		"/headers":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", maxHeaderBytes)) },
		"/cut":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"/hangs": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-done:
			}
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // so that a client that hangs up is noticed
		answers[r.URL.Path](w, r)
	}))
	defer server.Close()
	defer close(done)
	client := NewPoster(Access{AllowPrivate: true, Home: "127.0.0.1"})
	for path := range answers {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := PostForm(ctx, client, server.URL+path+"?key="+secret, url.Values{"logout_token": {secret}})
		cancel()
		good := path == "/ok" || path == "/nothing" || path == "/endless" || path == "/drips" // whose status has come
		if (err == nil) != good {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds the token: %v", path, err)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("the token went elsewhere %d times", n)
	}
	for address, access := range map[string]Access{
		strings.Replace(server.URL, "http://", "http://u:p@", 1): {AllowPrivate: true, Home: "127.0.0.1"}, // with a password
		server.URL + "/ok": {AllowPrivate: true, Home: "app.example.com"}, // in the clear, at another host than the configured one
	} {
		if err := PostForm(t.Context(), NewPoster(access), address, nil); err == nil {
			t.Errorf("%s: posted", address)
		}
	}
}
