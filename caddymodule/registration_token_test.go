package caddymodule

import (
	"strings"
	"testing"
)

// H11: a registration token that comes from elsewhere is as long as one in the file.
func TestH11ShortRegistrationToken(t *testing.T) {
	for token, short := range map[string]bool{"guess-me": true, "registration-token-0123456789": false} {
		t.Setenv("GATEHOUSE_REGISTRATION", token)
		r := &ClientRegistration{Access: accessToken, Token: "{env.GATEHOUSE_REGISTRATION}"}
		err := r.resolve()
		if (err != nil) != short || short && (!strings.Contains(err.Error(), "at least 16") || strings.Contains(err.Error(), token)) {
			t.Errorf("a token of %d bytes: %v", len(token), err)
		}
	}
}
