package handler

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestHardeningHDR18(t *testing.T) {
	g := newTestGuard(t, nil)
	ask := []string{"Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "authorization,x-custom"}
	res, seen := guarded(t, g, request(t, http.MethodOptions, "/", append(ask, "Origin", spaOrigin)...), nil)
	h := res.Header
	if res.StatusCode != 204 || seen != nil || h.Get("Access-Control-Allow-Origin") != spaOrigin || h.Get("Access-Control-Allow-Methods") != "PATCH" ||
		h.Get("Access-Control-Allow-Headers") != "authorization,x-custom" || h.Get("Vary") != "Origin" {
		t.Errorf("%d %v", res.StatusCode, h)
	}
	res, seen = guarded(t, g, request(t, http.MethodOptions, "/", append(ask, "Origin", "https://evil.example")...), nil)
	if seen != nil || res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("for a stranger: %d %v", res.StatusCode, res.Header)
	}
	off := newTestGuard(t, nil, func(c *GuardConfig) { c.CORS = false })
	res, seen = guarded(t, off, request(t, http.MethodOptions, "/", append(ask, "Origin", spaOrigin)...), nil)
	if res.StatusCode != 401 || seen != nil || res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Vary") != "" {
		t.Errorf("with CORS off: %d %v", res.StatusCode, res.Header)
	}
}

func TestHardeningWEB07(t *testing.T) {
	g := newTestGuard(t, nil)
	for _, auth := range []string{"", "Bearer x", "Bearer store-down", "Bearer a,b"} {
		r := request(t, http.MethodGet, "/", "Origin", spaOrigin)
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		res, _ := guarded(t, g, r, nil)
		if res.Header.Get("Access-Control-Allow-Origin") != spaOrigin || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
			t.Errorf("%q: %d %v", auth, res.StatusCode, res.Header)
		}
	}
}

// On success ours replaces the upstream's header: never two, never another.
func TestCORSOnSuccess(t *testing.T) {
	g := newTestGuard(t, nil)
	for name, upstream := range map[string]http.HandlerFunc{
		"header, then body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Access-Control-Allow-Origin", "*")
			w.Header().Add("Vary", "Accept")
			w.WriteHeader(http.StatusTeapot)
		},
		"body only": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "https://evil.example")
			w.Header().Set("Vary", "Accept, origin")
			fmt.Fprint(w, "x")
		},
		"copied": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			if _, err := io.Copy(w, strings.NewReader("x")); err != nil {
				t.Error(err)
			}
		},
		"flush first": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Access-Control-Allow-Origin", "*")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		},
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Add("Access-Control-Allow-Origin", "*")
			w.WriteHeader(http.StatusOK)
		},
	} {
		t.Run(name, func(t *testing.T) {
			res, _ := guarded(t, g, request(t, http.MethodGet, "/", "Origin", spaOrigin, "Authorization", "Bearer good"), upstream)
			if got := res.Header.Values("Access-Control-Allow-Origin"); !slices.Equal(got, []string{spaOrigin}) {
				t.Errorf("Access-Control-Allow-Origin %q", got)
			}
			if n := strings.Count(strings.ToLower(strings.Join(res.Header.Values("Vary"), ",")), "origin"); n != 1 {
				t.Errorf("Vary %q", res.Header.Values("Vary"))
			}
		})
	}
	res, _ := guarded(t, g, request(t, http.MethodGet, "/", "Authorization", "Bearer good"), nil)
	if res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Vary") != "Origin" {
		t.Errorf("without an origin: %v", res.Header)
	}
}
