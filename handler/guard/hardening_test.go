package guard

import (
	"net/http"
	"strings"
	"testing"
)

func TestHardeningJWT48To51(t *testing.T) {
	bare := `Bearer realm="https://api.example.com"` + metadataParameter
	bad := `Bearer realm="https://api.example.com", error="invalid_token", error_description="The access token is invalid."` + metadataParameter
	malformed := `Bearer realm="https://api.example.com", error="invalid_request"`
	for _, tc := range []struct {
		name, target string
		headers      []string
		status       int
		challenge    string // a prefix
	}{
		{"good", "/x", []string{"Authorization", "Bearer good"}, 200, ""},
		{"lower case", "/x", []string{"Authorization", "bearer good"}, 200, ""},
		{"two spaces", "/x", []string{"Authorization", "Bearer  good"}, 200, ""},
		{"JWT-48 none", "/x", nil, 401, bare},
		{"JWT-49 scheme only", "/x", []string{"Authorization", "Bearer"}, 400, malformed},
		{"JWT-49 scheme and space", "/x", []string{"Authorization", "Bearer "}, 400, malformed},
		{"JWT-49 two words", "/x", []string{"Authorization", "Bearer  a b"}, 400, malformed},
		{"JWT-49 Basic", "/x", []string{"Authorization", "Basic Z29vZDo="}, 401, bare},
		{"JWT-49 scheme that begins so", "/x", []string{"Authorization", "BearerX good"}, 401, bare},
		{"JWT-53 not bound, as DPoP", "/x", []string{"Authorization", "DPoP good"}, 401, `DPoP error="invalid_token", algs="ES256 EdDSA`},
		{"JWT-53 DPoP scheme only", "/x", []string{"Authorization", "DPoP"}, 400, `DPoP error="invalid_request"`},
		{"empty", "/x", []string{"Authorization", ""}, 401, bare},
		{"JWT-20 JSON", "/x", []string{"Authorization", `Bearer {"payload":"a","signatures":[]}`}, 401, bad},
		{"JWT-23 space in a segment", "/x", []string{"Authorization", "Bearer a. b.c"}, 401, bad},
		{"bad", "/x", []string{"Authorization", "Bearer x.y.z"}, 401, bad},
		{"JWT-50 header and query", "/x?access_token=good", []string{"Authorization", "Bearer good"}, 400, malformed},
		{"JWT-50 header and broken query", "/x?access_token=good&%zz", []string{"Authorization", "Bearer good"}, 400, malformed},
		{"a value that says access_token", "/x?q=access_token", []string{"Authorization", "Bearer good"}, 200, ""},
		{"query only", "/x?access_token=good", nil, 401, bare},
		{"JWT-51 twice", "/x", []string{"Authorization", "Bearer good", "Authorization", "Bearer good"}, 400, malformed},
		{"JWT-51 twice, one garbage", "/x", []string{"Authorization", "garbage", "Authorization", "Bearer good"}, 400, malformed},
		{"JWT-51 joined", "/x", []string{"Authorization", "Bearer good, Bearer good"}, 400, malformed},
		{"store down", "/x", []string{"Authorization", "Bearer store-down"}, 503, ""},
		{"cookie that is not configured", "/x", []string{"Cookie", "token=good"}, 401, bare},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, seen := guarded(t, newTestGuard(t, nil), request(t, http.MethodGet, tc.target, tc.headers...), nil)
			got := res.Header.Get("WWW-Authenticate")
			if res.StatusCode != tc.status || !strings.HasPrefix(got, tc.challenge) || tc.challenge == "" && got != "" || tc.challenge == bare && got != bare {
				t.Errorf("%d %q, want %d %q", res.StatusCode, got, tc.status, tc.challenge)
			}
			if (seen != nil) != (tc.status == 200) {
				t.Errorf("reached the upstream: %t", seen != nil)
			}
			if tc.status == 503 && res.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}

func TestHardeningJWT53(t *testing.T) {
	g := newTestGuard(t, checker{"bound": claimsOf(t, `{"cnf":{"jkt":"`+somebodysKey+`"}}`)})
	res, seen := guarded(t, g, request(t, http.MethodGet, "/", "Authorization", "Bearer bound"), nil)
	if res.StatusCode != 401 || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), `DPoP error="invalid_token", algs="ES256 EdDSA `) || seen != nil {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

func TestHardeningHDR12To17(t *testing.T) {
	g := newTestGuard(t, nil)
	for _, tc := range []struct {
		name    string
		method  string
		headers []string
	}{
		{"HDR-12", http.MethodGet, []string{"X-Forwarded-Uri", "/public", "X-Original-Url", "/public", "X-Rewrite-Url", "/public"}},
		{"HDR-13", http.MethodGet, []string{"X-Forwarded-Method", "OPTIONS", "X-Forwarded-Prefix", "/x"}},
		{"HDR-14", http.MethodGet, []string{"User-Agent", "kube-probe/1.0"}},
		{"HDR-17 HEAD", http.MethodHead, nil},
		{"HDR-17 TRACE", http.MethodTrace, nil},
		{"HDR-17 lower case", "get", nil},
		{"HDR-17 override", http.MethodPost, []string{"X-Http-Method-Override", "OPTIONS"}},
		{"HDR-17 WebSocket", http.MethodGet, []string{"Connection", "Upgrade", "Upgrade", "websocket"}},
		{"HDR-18 OPTIONS", http.MethodOptions, nil},
		{"HDR-18 OPTIONS with an origin", http.MethodOptions, []string{"Origin", appOrigin}},
		{"HDR-18 OPTIONS without an origin", http.MethodOptions, []string{"Access-Control-Request-Method", "GET"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, seen := guarded(t, g, request(t, tc.method, "/admin", tc.headers...), nil)
			if res.StatusCode != 401 || seen != nil {
				t.Errorf("%d, reached the upstream: %t", res.StatusCode, seen != nil)
			}
		})
	}
}
