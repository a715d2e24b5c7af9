package upstream

import (
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// F62: where a person signs out there, in the provider's own words.
func TestF62LeaveURL(t *testing.T) {
	leave := login.Leave{IDToken: "a.b.c", ReturnTo: "https://auth.example.com/signed-out/company", State: "st"}
	for _, tt := range []struct {
		name, issuer, end string
		leave             login.Leave
		want              string
	}{
		{"standard", "https://id.example.com", "https://id.example.com/end?x=1", leave, "client_id=gatehouse&id_token_hint=a.b.c&post_logout_redirect_uri=" + url.QueryEscape(leave.ReturnTo) + "&state=st&x=1"},
		{"Auth0", "https://tenant.eu.auth0.com/", "https://tenant.eu.auth0.com/v2/logout", leave, "client_id=gatehouse&returnTo=" + url.QueryEscape(leave.ReturnTo)},
		{"Cognito", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab", "https://people.auth.eu-central-1.amazoncognito.com/logout", leave, "client_id=gatehouse&logout_uri=" + url.QueryEscape(leave.ReturnTo)},
		{"no address", "https://id.example.com", "", leave, ""},
		{"no ID token", "https://id.example.com", "https://id.example.com/end", login.Leave{ReturnTo: leave.ReturnTo}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := &metadata{Issuer: tt.issuer, EndSession: tt.end}
			o := newOIDC(Config{Name: "company", Issuer: tt.issuer, ClientID: "gatehouse", KeepIDToken: true}, doc)
			want := ""
			if tt.want != "" {
				u, _ := url.Parse(tt.end)
				u.RawQuery = tt.want
				want = u.String()
			}
			if got := o.LeaveURL(tt.leave); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			o = newOIDC(Config{Name: "company", Issuer: tt.issuer, ClientID: "gatehouse"}, doc)
			if got := o.LeaveURL(tt.leave); got != "" || o.Leaves() {
				t.Errorf("without logout_upstream: %s", got)
			}
		})
	}
}
