package tokens_test

import (
	"encoding/base64"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestP8RequestObjectIsRefusedWhereTheAppWaits: response_mode may stand in the object alone.
func TestP8RequestObjectIsRefusedWhereTheAppWaits(t *testing.T) {
	object := func(payload string) string {
		return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "."
	}
	for _, tt := range []struct {
		name, object, beside string
		want                 tokens.ResponseMode
	}{
		{"in the object", object(`{"response_mode":"form_post","state":"inside"}`), "", tokens.ModeFormPost},
		{"beside it", object(`{"response_mode":"form_post"}`), "fragment", tokens.ModeFragment},
		{"of an unknown mode", object(`{"response_mode":"pigeon"}`), "", tokens.ModeQuery},
		{"of a number", object(`{"response_mode":7}`), "", tokens.ModeQuery},
		{"no object", "x", "", tokens.ModeQuery},
		{"no base64", "a.$.", "", tokens.ModeQuery},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			params := request()
			params.Del("response_mode")
			params.Set("request", tt.object)
			if tt.beside != "" {
				params.Set("response_mode", tt.beside)
			}
			a, err := g.ParseAuthorization(t.Context(), params)
			if got := oauth.AsError(err).Code; got != oauth.RequestNotSupported {
				t.Errorf("refused with %q (%v)", got, err)
			}
			if a == nil || a.ResponseMode != tt.want || a.State != params.Get("state") {
				t.Errorf("answered as %+v, want %s", a, tt.want)
			}
		})
	}
}
