package verify

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

// The examples of the RFCs about whole tokens, typed in, and what follows for
// them from the texts. Those about signatures are in jose, proofs in dpop.

const (
	rfc7519Payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	// Section 3.1, under the key of RFC 7515 appendix A.1.
	rfc7519Signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfc7519Payload + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfc7515Secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
	// Section 6.1.
	rfc7519Unsecured = "eyJhbGciOiJub25lIn0." + rfc7519Payload + "."
)

func TestGoldenRFC7519(t *testing.T) {
	// §3.1 is a good JWT: its form is read, with the line breaks in it, and its
	// MAC is right.
	c, err := jose.ParseCompact(rfc7519Signed)
	if err != nil || c.Header.Alg != "HS256" || !c.Header.TypeIs("JWT") || !verifyHS256(rfc7519Signed, rfc7515Secret) {
		t.Fatalf("%+v, %v", c.Header, err)
	}
	claims, err := parseClaims(c.Payload)
	if err != nil || claims.Issuer != "joe" || claims.Expiry.Unix() != 1300819380 {
		t.Fatalf("%+v, %v", claims, err)
	}
	if root, _ := claims.Lookup("http://example.com/is_root"); root != true {
		t.Errorf("the private claim is %v", root)
	}

	// As an access token neither of them is good: §3.1 has a symmetric key, which
	// nobody here has for anybody, and §6.1 is not secured at all (RFC 8725 §3.2, RFC 9068 §4).
	bench := newForeignBench(t)
	joe := newForeignIssuer(t, "joe", "", bench.clock)
	route := bench.route(ForeignConfig{Issuer: "joe", Keys: joe.keys(nil), AcceptJWT: true})
	for token, want := range map[string]oauth.Reason{rfc7519Signed: oauth.ReasonUnknownKey, rfc7519Unsecured: oauth.ReasonMalformed} {
		if _, err := route.Verify(token); refusal(t, err) != want {
			t.Errorf("%s: %v, want %s", token, err, want)
		}
		if _, err := bench.verifier.Verify(token); refusal(t, err) == "" {
			t.Errorf("%s passes", token)
		}
	}
	// Nor can an issuer publish such a key.
	if _, err := jose.ParseKeySet([]byte(`{"keys":[{"kty":"oct","k":"` + rfc7515Secret + `"}]}`)); err == nil {
		t.Error("a symmetric key is taken")
	}
}

// Section 3, figure 2: the header and the claims of an access token. The RFC
// gives no key and no signature, so they get ours.
const (
	rfc9068Header = `{"typ":"at+JWT","alg":"RS256","kid":"RjEwOwOA"}`
	rfc9068Claims = `{
        "iss": "https://authorization-server.example.com/",
        "sub": "5ba552d67",
        "aud":   "https://rs.example.com/",
        "exp": 1639528912,
        "iat": 1618354090,
        "jti" : "dbe39bf3a3ba4238a513f51d6e1691c4",
        "client_id": "s6BhdRkqt3",
        "scope": "openid profile reademail"
      }`
)

func TestGoldenRFC9068(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	token := signRS256(t, key, rfc9068Header, rfc9068Claims)
	enc := base64.RawURLEncoding
	jwks := jwkSet(fmt.Sprintf(`{"kty":"RSA","kid":"RjEwOwOA","n":%q,"e":%q}`, enc.EncodeToString(key.N.Bytes()), enc.EncodeToString(big.NewInt(int64(key.E)).Bytes())))
	routeAt := func(second int64) *Verifier {
		issuer := newForeignIssuer(t, "https://authorization-server.example.com/", "", func() time.Time { return time.Unix(second, 0) })
		issuer.answer = jwks
		return New(Config{Clock: issuer.now, Others: []*Foreign{NewForeign(ForeignConfig{Issuer: issuer.url, Keys: issuer.keys(nil)})}})
	}
	route := routeAt(1618354100)

	// §4: typ in any case, the signature, iss, exp; aud and scope are the route's to compare.
	claims, err := route.Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	if claims.Subject != "5ba552d67" || claims.ClientID != "s6BhdRkqt3" || claims.ID != "dbe39bf3a3ba4238a513f51d6e1691c4" || claims.IssuedAt.Unix() != 1618354090 ||
		!slices.Equal(claims.Audience, []string{"https://rs.example.com/"}) || !slices.Equal(claims.Scope, []string{"openid", "profile", "reademail"}) {
		t.Errorf("%+v", claims)
	}
	if _, err := routeAt(1639528912).Verify(token); refusal(t, err) != oauth.ReasonExpired {
		t.Errorf("at its exp: %v", err)
	}
	if _, err := routeAt(1618354089).Verify(token); refusal(t, err) != oauth.ReasonNotYetValid {
		t.Errorf("before its iat: %v", err)
	}

	// §2.2: each of these claims is required. Other issuers leave out client_id
	// and jti so often that theirs may be absent, as docs/issuers.md says.
	for claim, want := range map[string]oauth.Reason{"iss": oauth.ReasonWrongIssuer, "sub": oauth.ReasonClaim, "aud": oauth.ReasonWrongAudience, "exp": oauth.ReasonClaim, "iat": oauth.ReasonClaim, "client_id": "", "jti": ""} {
		var members map[string]any
		if err := json.Unmarshal([]byte(rfc9068Claims), &members); err != nil {
			t.Fatal(err)
		}
		delete(members, claim)
		less, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := route.Verify(signRS256(t, key, rfc9068Header, string(less))); refusal(t, err) != want {
			t.Errorf("without %s: %v, want %q", claim, err, want)
		}
		if own, err := parseClaims(less); err != nil || own.requireAccessToken() == nil {
			t.Errorf("without %s, of our own: it passes", claim)
		}
	}
	// §4: another type is no access token.
	for _, typ := range []string{`"JWT"`, `"at"`, `"logout+jwt"`} {
		if _, err := route.Verify(signRS256(t, key, `{"typ":`+typ+`,"alg":"RS256","kid":"RjEwOwOA"}`, rfc9068Claims)); refusal(t, err) != oauth.ReasonWrongType {
			t.Errorf("typ %s: %v", typ, err)
		}
	}
}

func signRS256(t *testing.T, key *rsa.PrivateKey, header, claims string) string {
	t.Helper()
	input := tokenstest.Segment(header) + "." + tokenstest.Segment(claims)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + tokenstest.Segment(string(signature))
}
