package tokens

import "testing"

// TestPKCE uses the example of RFC 7636 Appendix B.
func TestPKCE(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if !validVerifier(verifier) || !validChallenge(challenge) || !verifies(verifier, challenge) {
		t.Error("the RFC's example is refused")
	}
	if verifies(challenge, challenge) {
		t.Error("the challenge verifies itself")
	}
	for _, bad := range []string{"", verifier[:42], verifier + "=", verifier[:42] + "!", string(make([]byte, 129))} {
		if validVerifier(bad) {
			t.Errorf("verifier %q is taken", bad)
		}
	}
	for _, bad := range []string{"", challenge[:42], challenge + "=", challenge[:42] + ".", challenge + "AA"} {
		if validChallenge(bad) {
			t.Errorf("challenge %q is taken", bad)
		}
	}
}
