package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// S20: the access token may come in a form that is posted (RFC 6750 §2.2), once
// and nowhere else.
func TestUserinfoForm(t *testing.T) {
	g := newGateway(t)
	access := g.browser().tokensOf()["access_token"].(string)
	form := url.Values{"access_token": {access}}.Encode()
	bearer := []string{"Authorization", "Bearer " + access}
	for _, tc := range []struct {
		name, method, target, kind, body string
		headers                          []string
		status                           int
	}{
		{"a form", http.MethodPost, "/userinfo", formType, form, nil, 200},
		{"with a charset", http.MethodPost, "/userinfo", formType + "; charset=UTF-8", form, nil, 200},
		{"another scheme in the header", http.MethodPost, "/userinfo", formType, form, []string{"Authorization", "Basic eDp5"}, 200},
		{"other fields, and the header", http.MethodPost, "/userinfo", formType, "a=b", bearer, 200},
		{"an empty form, and the header", http.MethodPost, "/userinfo", formType, "", bearer, 200},
		{"in both", http.MethodPost, "/userinfo", formType, form, bearer, 400},
		{"twice", http.MethodPost, "/userinfo", formType, form + "&" + form, nil, 400},
		{"in the form and the URL", http.MethodPost, "/userinfo?" + form, formType, form, nil, 400},
		{"no form", http.MethodPost, "/userinfo", "application/json", `{"access_token":"` + access + `"}`, nil, 401},
		{"multipart", http.MethodPost, "/userinfo", "multipart/form-data; boundary=x", form, nil, 401},
		{"by GET", http.MethodGet, "/userinfo", formType, form, nil, 401},
		{"a bad token", http.MethodPost, "/userinfo", formType, "access_token=x", nil, 401},
		{"an empty token", http.MethodPost, "/userinfo", formType, "access_token=", nil, 401},
		{"none", http.MethodPost, "/userinfo", formType, "", nil, 401},
		{"too many fields", http.MethodPost, "/userinfo", formType, form + strings.Repeat("&a=", maxParams), nil, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := g.do(tc.method, tc.target, tc.body, append([]string{"Content-Type", tc.kind}, tc.headers...)...)
			if res.StatusCode != tc.status {
				t.Errorf("status %d, want %d: %s %s", res.StatusCode, tc.status, res.Header.Get("WWW-Authenticate"), res.Body)
			}
			if tc.status == http.StatusOK && !strings.Contains(res.Body, "local|alice") {
				t.Errorf("answer %s", res.Body)
			}
		})
	}
}
