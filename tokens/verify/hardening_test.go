package verify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

// attack is one token that a verifier is shown, and the reason why it is
// refused, "" if it is not. The names begin with the ids of the attack list.
type attack struct {
	name  string
	token string
	want  oauth.Reason
}

func runAttacks(t *testing.T, b *tokenBench, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			for range 2 { // the second time past the cache
				c, err := b.verifier.Verify(a.token)
				if got := reasonOf(t, err); got != a.want {
					t.Fatalf("got %q, want %q", got, a.want)
				}
				if (c == nil) != (a.want != "") {
					t.Fatalf("claims %v beside %v", c, err)
				}
			}
		})
	}
}

func TestAttacksOnTheAlgorithm(t *testing.T) {
	b := newTokenBench(t)
	payload := b.json(b.claims(nil))
	kid := b.signer(jose.ES256).ID()
	head := func(change map[string]any) string { return tokenstest.Segment(b.json(b.header(change))) }
	hs256 := func(key string) string {
		input := head(map[string]any{"alg": "HS256"}) + "." + tokenstest.Segment(payload)
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(input))
		return input + "." + tokenstest.Segment(string(mac.Sum(nil)))
	}
	good := b.mint(nil, nil)
	signature := good[strings.LastIndexByte(good, '.')+1:]
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forge := func(header string) string {
		input := tokenstest.Segment(header) + "." + tokenstest.Segment(payload)
		return input + "." + tokenstest.Segment(string(tokenstest.SignES256(t, attacker, input)))
	}
	x, y := attacker.X.FillBytes(make([]byte, 32)), attacker.Y.FillBytes(make([]byte, 32))
	jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": tokenstest.Segment(string(x)), "y": tokenstest.Segment(string(y)), "kid": kid}

	attacks := []attack{
		{"base token", good, ""},
		{"JWT-01 alg none without signature", head(map[string]any{"alg": "none"}) + "." + tokenstest.Segment(payload) + ".", oauth.ReasonMalformed},
		{"JWT-01 alg none with a signature", head(map[string]any{"alg": "none"}) + "." + tokenstest.Segment(payload) + "." + signature, oauth.ReasonBadSignature},
		{"JWT-03 no signature", good[:strings.LastIndexByte(good, '.')+1], oauth.ReasonMalformed},
		{"JWT-06 HS256 with an empty key", hs256(""), oauth.ReasonBadSignature},
		{"JWT-06 HS256 with the public keys", hs256(string(b.keys.JWKS())), oauth.ReasonBadSignature},
		{"JWT-06 HS256 with the kid", hs256(kid), oauth.ReasonBadSignature},
		{"JWT-10 embedded jwk", forge(b.json(b.header(map[string]any{"jwk": jwk}))), oauth.ReasonTokenHeader},
		{"JWT-10 embedded jwk, good signature", b.mint(map[string]any{"jwk": jwk}, nil), oauth.ReasonTokenHeader},
		{"JWT-11 jku", forge(b.json(b.header(map[string]any{"jku": "http://127.0.0.1/"}))), oauth.ReasonTokenHeader},
		{"JWT-11 x5u", forge(b.json(b.header(map[string]any{"x5u": "http://127.0.0.1/"}))), oauth.ReasonTokenHeader},
		{"JWT-12 x5c", forge(b.json(b.header(map[string]any{"x5c": []string{"AAAA"}}))), oauth.ReasonTokenHeader},
		{"JWT-14 no kid", b.mint(map[string]any{"kid": nil}, nil), oauth.ReasonUnknownKey},
		{"JWT-14 empty kid", b.mint(map[string]any{"kid": ""}, nil), oauth.ReasonUnknownKey},
		{"JWT-14 unknown kid", b.mint(map[string]any{"kid": "../../dev/null"}, nil), oauth.ReasonUnknownKey},
		{"JWT-14 kid in another case", b.mint(map[string]any{"kid": strings.ToUpper(kid)}, nil), oauth.ReasonUnknownKey},
		{"key of an attacker under our kid", forge(b.json(b.header(nil))), oauth.ReasonBadSignature},
		{"no alg", b.mint(map[string]any{"alg": nil}, nil), oauth.ReasonTokenHeader},
		{"alg is an array", b.mint(map[string]any{"alg": []string{"ES256"}}, nil), oauth.ReasonTokenHeader},
	}
	for _, alg := range []string{"None", "NONE", "nOnE", "noNE", "es256", "ES256 ", "ES256K", "ES384", "RS256", "", "Ed25519"} {
		want := oauth.ReasonBadSignature
		if alg == "" {
			want = oauth.ReasonTokenHeader
		}
		attacks = append(attacks, attack{"JWT-02 alg " + alg, b.mint(map[string]any{"alg": alg}, nil), want})
	}
	for _, key := range []string{"secret", "password", "your-256-bit-secret", "changeme", "key", "jwt", "gatehouse"} {
		attacks = append(attacks, attack{"JWT-06 HS256 with " + key, hs256(key), oauth.ReasonBadSignature})
	}
	runAttacks(t, b, attacks)
}

func TestAttacksOnTheForm(t *testing.T) {
	b := newTokenBench(t)
	good := b.mint(nil, nil)
	parts := strings.Split(good, ".")
	header, payload := b.json(b.header(nil)), b.json(b.claims(nil))
	std := base64.StdEncoding.EncodeToString
	// A payload whose base64 text ends with unused bits, to set them.
	loose := payload
	for len(loose)%3 != 1 {
		loose = strings.Replace(loose, "{", "{ ", 1)
	}
	bits := b.seal(tokenstest.Segment(header) + "." + tokenstest.Segment(loose)[:len(tokenstest.Segment(loose))-1] + nextLetter(tokenstest.Segment(loose)))
	flat := fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2])
	crit := func(change map[string]any) string { return b.mint(change, nil) }
	jwe := func(header string) string { return tokenstest.Segment(header) + ".AAAA.AAAA.AAAA.AAAA" }

	attacks := []attack{
		{"JWT-19 crit exp", crit(map[string]any{"crit": []string{"exp"}}), oauth.ReasonTokenHeader},
		{"JWT-19 crit foo", crit(map[string]any{"crit": []string{"foo"}, "foo": 1}), oauth.ReasonTokenHeader},
		{"JWT-19 crit empty", crit(map[string]any{"crit": []string{}}), oauth.ReasonTokenHeader},
		{"JWT-19 b64 false", crit(map[string]any{"b64": false}), oauth.ReasonTokenHeader},
		{"JWT-19 b64 true", crit(map[string]any{"b64": true}), oauth.ReasonTokenHeader},
		{"JWT-20 flattened JSON", flat, oauth.ReasonMalformed},
		{"JWT-20 general JSON", fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, parts[1], parts[0], parts[2]), oauth.ReasonMalformed},
		{"JWT-20 JSON inside a compact token", flat + "." + parts[1] + "." + parts[2], oauth.ReasonMalformed},
		{"JWT-21 leading dot", "." + good, oauth.ReasonMalformed},
		{"JWT-21 trailing dot", good + ".", oauth.ReasonMalformed},
		{"JWT-21 extra dot", parts[0] + ".." + parts[1] + "." + parts[2], oauth.ReasonMalformed},
		{"JWT-21 one segment", parts[0], oauth.ReasonMalformed},
		{"JWT-21 two segments", parts[0] + "." + parts[1], oauth.ReasonMalformed},
		{"JWT-21 four segments", good + ".AAAA", oauth.ReasonMalformed},
		{"JWT-21 five segments", good + ".AAAA.AAAA", oauth.ReasonMalformed},
		{"JWT-21 empty header", "." + parts[1] + "." + parts[2], oauth.ReasonMalformed},
		{"JWT-21 empty payload", b.seal(parts[0] + "."), oauth.ReasonMalformed},
		{"JWT-21 nothing", "", oauth.ReasonMalformed},
		{"JWT-21 two dots", "..", oauth.ReasonMalformed},
		{"JWT-22 dots", strings.Repeat(".", oauth.MaxTokenBytes), oauth.ReasonMalformed},
		{"JWT-22 one byte too long", strings.Repeat("A", oauth.MaxTokenBytes+1), oauth.ReasonTooLarge},
		{"JWT-23 standard base64", b.seal(std([]byte(header)) + "." + std([]byte(payload+"  "))), oauth.ReasonMalformed},
		{"JWT-23 plus", good[:len(good)-1] + "+", oauth.ReasonMalformed},
		{"JWT-23 slash", good[:len(good)-1] + "/", oauth.ReasonMalformed},
		{"JWT-23 padding", good + "=", oauth.ReasonMalformed},
		{"JWT-23 space", good[:40] + " " + good[40:], oauth.ReasonMalformed},
		{"JWT-23 line feed", good[:40] + "\n" + good[40:], oauth.ReasonMalformed},
		{"JWT-23 carriage return", good + "\r", oauth.ReasonMalformed},
		{"JWT-23 NUL", good + "\x00", oauth.ReasonMalformed},
		{"JWT-23 trailing bits in the payload", bits, oauth.ReasonMalformed},
		{"JWT-23 trailing bits in the signature", good[:len(good)-1] + nextLetter(good), oauth.ReasonMalformed},
		{"JWT-24 PBES2 with many rounds", jwe(`{"alg":"PBES2-HS256+A128KW","enc":"A128CBC-HS256","p2c":2000000000,"p2s":"AAAA"}`), oauth.ReasonMalformed},
		{"JWT-24 PBES2 header on three segments", b.mint(map[string]any{"alg": "PBES2-HS256+A128KW", "p2c": 2000000000, "p2s": "AAAA"}, nil), oauth.ReasonTokenHeader},
		{"JWT-25 compressed", jwe(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`), oauth.ReasonMalformed},
		{"JWT-25 compressed, three segments", b.mint(map[string]any{"zip": "DEF"}, nil), oauth.ReasonTokenHeader},
		{"JWT-25 empty encrypted key", tokenstest.Segment(`{"alg":"A128KW","enc":"A128GCM"}`) + "..AAAA.AAAA.AAAA", oauth.ReasonMalformed},
		{"JWT-26 JWE around an unsigned token", jwe(`{"alg":"RSA-OAEP","enc":"A256GCM","cty":"JWT"}`), oauth.ReasonMalformed},
		{"JWT-26 JWS around an unsigned token", b.sign(b.json(b.header(map[string]any{"cty": "JWT"})), tokenstest.Segment(`{"alg":"none"}`)+"."+tokenstest.Segment(payload)+"."), oauth.ReasonMalformed},
		{"JWT-39 refresh token", "rt1." + tokenstest.Segment(strings.Repeat("x", 80)), oauth.ReasonMalformed},
		{"JWT-39 authorization code", tokenstest.Segment(strings.Repeat("x", 32)), oauth.ReasonMalformed},
	}
	runAttacks(t, b, attacks)
}

// nextLetter is the base64url letter after the last one of text: the same
// bytes to a lenient decoder where that letter has unused bits.
func nextLetter(text string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(letters[(strings.IndexByte(letters, text[len(text)-1])+1)%len(letters)])
}

func TestAttacksOnTheJSON(t *testing.T) {
	b := newTokenBench(t)
	header, payload := b.json(b.header(nil)), b.json(b.claims(nil))
	first := func(object, member string) string { return "{" + member + "," + object[1:] }
	last := func(object, member string) string { return object[:len(object)-1] + "," + member + "}" }
	with := func(member string) string { return b.sign(header, last(payload, member)) }
	head := func(member string) string { return b.sign(last(header, member), payload) }
	without := func(name string, change map[string]any) string {
		c := map[string]any{name: nil}
		maps.Copy(c, change)
		return b.mint(nil, c)
	}
	many := func(n int) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, `"%d":0,`, i)
		}
		return strings.TrimSuffix(s.String(), ",")
	}
	exp := b.now.Unix() + 600

	attacks := []attack{
		{"JWT-27 alg twice, none last", head(`"alg":"none"`), oauth.ReasonMalformed},
		{"JWT-27 alg twice, none first", b.sign(first(header, `"alg":"none"`), payload), oauth.ReasonMalformed},
		{"JWT-27 kid twice", head(`"kid":"x"`), oauth.ReasonMalformed},
		{"JWT-27 alg twice, one escaped", head(`"\u0061lg":"none"`), oauth.ReasonMalformed},
		{"JWT-27 sub twice", with(`"sub":"local|admin"`), oauth.ReasonMalformed},
		{"JWT-27 sub twice, one escaped", with(`"s\u0075b":"local|admin"`), oauth.ReasonMalformed},
		{"JWT-27 aud twice", with(`"aud":"x"`), oauth.ReasonMalformed},
		{"JWT-27 exp twice", with(`"exp":99999999999`), oauth.ReasonMalformed},
		{"JWT-27 nested", with(`"x":{"a":1,"a":2}`), oauth.ReasonMalformed},
		{"JWT-27 nested in an array", with(`"x":[{"a":1,"a":2}]`), oauth.ReasonMalformed},
		{"JWT-27 nested in cnf", with(`"cnf":{"jkt":"a","jkt":"b"}`), oauth.ReasonMalformed},
		{"JWT-27 nested in the header", head(`"x":{"a":1,"a":2}`), oauth.ReasonMalformed},
		{"JWT-28 EXP", without("exp", map[string]any{"EXP": exp}), oauth.ReasonClaim},
		{"JWT-28 Sub", without("sub", map[string]any{"Sub": "local|alice"}), oauth.ReasonClaim},
		{"JWT-28 Iss", without("iss", map[string]any{"Iss": testIssuer}), oauth.ReasonWrongIssuer},
		{"JWT-28 aLg", b.mint(map[string]any{"alg": nil, "aLg": "ES256"}, nil), oauth.ReasonTokenHeader},
		{"JWT-28 KID", b.mint(map[string]any{"kid": nil, "KID": b.signer(jose.ES256).ID()}, nil), oauth.ReasonUnknownKey},
		{"JWT-28 Typ", b.mint(map[string]any{"typ": nil, "Typ": "at+jwt"}, nil), oauth.ReasonWrongType},
		{"JWT-28 long s, which folds to s", without("sub", map[string]any{"ſub": "local|alice"}), oauth.ReasonClaim},
		{"JWT-28 an extra Sub is another claim", b.mint(nil, map[string]any{"Sub": "local|admin"}), ""},
		{"JWT-28 escaped names are the same names", b.sign(header, strings.Replace(payload, `"sub"`, `"\u0073ub"`, 1)), ""},
		{"JWT-29 header null", b.sign("null", payload), oauth.ReasonMalformed},
		{"JWT-29 header array", b.sign("[]", payload), oauth.ReasonMalformed},
		{"JWT-29 header empty object", b.sign("{}", payload), oauth.ReasonTokenHeader},
		{"JWT-29 header cut", b.sign(header[:len(header)-1], payload), oauth.ReasonMalformed},
		{"JWT-29 two headers", b.sign(header+header, payload), oauth.ReasonMalformed},
		{"JWT-29 invalid UTF-8", with("\"x\":\"\xff\""), oauth.ReasonMalformed},
		{"JWT-29 invalid UTF-8 in a name", with("\"\xff\":1"), oauth.ReasonMalformed},
		{"JWT-29 invalid UTF-8 in the header", head("\"x\":\"\xc0\xaf\""), oauth.ReasonMalformed},
		{"JWT-29 lone surrogate", with(`"x":"\ud800"`), oauth.ReasonMalformed},
		{"JWT-29 UTF-8 BOM", b.sign(header, "\ufeff"+payload), oauth.ReasonMalformed},
		{"JWT-29 UTF-16", b.sign(header, "\xff\xfe{\x00}\x00"), oauth.ReasonMalformed},
		{"JWT-29 two payloads", b.sign(header, payload+payload), oauth.ReasonMalformed},
		{"JWT-29 trailing comma", b.sign(header, payload[:len(payload)-1]+",}"), oauth.ReasonMalformed},
		{"JWT-29 comment", b.sign(header, "/**/"+payload), oauth.ReasonMalformed},
		{"JWT-29 trailing space is JSON", b.sign(header, payload+" \n"), ""},
		{"JWT-30 nested arrays", with(`"x":` + strings.Repeat("[", 2500) + strings.Repeat("]", 2500)), oauth.ReasonMalformed},
		{"JWT-30 nested objects", with(`"x":` + strings.Repeat(`{"a":`, 800) + "1" + strings.Repeat("}", 800)), oauth.ReasonMalformed},
		{"JWT-30 nested in the header", head(`"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000)), oauth.ReasonMalformed},
		{"JWT-30 nested in cnf", with(`"cnf":{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}"), oauth.ReasonMalformed},
		{"JWT-30 never closed", with(`"x":` + strings.Repeat("[", 5000)), oauth.ReasonMalformed},
		{"JWT-30 number 1e400", with(`"x":1e400`), oauth.ReasonMalformed},
		{"JWT-30 number 1e400 within", with(`"x":[1e400]`), oauth.ReasonMalformed},
		{"JWT-30 many members", with(many(500)), oauth.ReasonTooLarge},
		{"JWT-30 many members within", with(`"x":{` + many(500) + `}`), oauth.ReasonTooLarge},
		{"JWT-30 many members in many objects", with(`"x":[` + strings.Repeat(`{"a":1},`, 500) + `1]`), oauth.ReasonTooLarge},
		{"JWT-30 a real nesting", with(`"realm_access":{"roles":["a","b"],"x":{"y":[{"z":null}]}}`), ""},
		{"JWT-30 a long list", with(`"groups":[` + strings.Repeat(`"g",`, 999) + `"g"]`), ""},
	}
	for _, doc := range []string{"null", "[]", `"x"`, "1", "true", "{", "}", " ", "\x00", "{}x"} {
		attacks = append(attacks, attack{"JWT-29 payload " + doc, b.sign(header, doc), oauth.ReasonMalformed})
	}
	runAttacks(t, b, attacks)
}

func TestAttacksOnTheClaims(t *testing.T) {
	b := newTokenBench(t)
	now := b.now.Unix()
	set := func(name string, value any) string { return b.mint(nil, map[string]any{name: value}) }
	raw := func(name, value string) string { return set(name, json.RawMessage(value)) }
	attacks := []attack{
		{"JWT-31 no exp", set("exp", nil), oauth.ReasonClaim},
		{"JWT-31 exp null", raw("exp", "null"), oauth.ReasonClaim},
		{"JWT-31 exp string", set("exp", "9999999999"), oauth.ReasonClaim},
		{"JWT-31 exp negative", raw("exp", "-1"), oauth.ReasonClaim},
		{"JWT-31 exp 1e308", raw("exp", "1e308"), oauth.ReasonClaim},
		{"JWT-31 exp 1e400", raw("exp", "1e400"), oauth.ReasonMalformed},
		{"JWT-31 exp over int64", raw("exp", "9223372036854775808"), oauth.ReasonClaim},
		{"JWT-31 exp in milliseconds", raw("exp", "99999999999999"), oauth.ReasonClaim},
		{"JWT-31 exp array", raw("exp", "[1]"), oauth.ReasonClaim},
		{"JWT-31 exp true", raw("exp", "true"), oauth.ReasonClaim},
		{"JWT-31 exp 0", raw("exp", "0"), oauth.ReasonExpired},
		{"JWT-31 exp 1.5", raw("exp", "1.5"), oauth.ReasonExpired},
		{"JWT-31 exp with a fraction", raw("exp", fmt.Sprint(now+60)+".5"), ""},
		{"JWT-31 exp with an exponent", raw("exp", "2e10"), ""},
		{"JWT-32 exp a second ago", set("exp", now-1), oauth.ReasonExpired},
		{"JWT-32 exp now", set("exp", now), oauth.ReasonExpired},
		{"JWT-33 nbf in two minutes", set("nbf", now+120), oauth.ReasonNotYetValid},
		{"JWT-33 iat in an hour", set("iat", now+3600), oauth.ReasonNotYetValid},
		{"JWT-33 nbf string", set("nbf", "0"), oauth.ReasonClaim},
		{"no iat", set("iat", nil), oauth.ReasonClaim},
		{"no jti", set("jti", nil), oauth.ReasonClaim},
		{"no client_id", set("client_id", nil), oauth.ReasonClaim},
		{"no sub", set("sub", nil), oauth.ReasonClaim},
		{"empty sub", set("sub", ""), oauth.ReasonClaim},
		{"sub number", set("sub", 1), oauth.ReasonClaim},
		{"sub null", raw("sub", "null"), oauth.ReasonClaim},
		{"jti of somebody else's form", set("jti", "abc"), ""},
		{"JWT-35 no slash", set("iss", "https://auth.example.com"), oauth.ReasonWrongIssuer},
		{"JWT-35 two slashes", set("iss", testIssuer+"/"), oauth.ReasonWrongIssuer},
		{"JWT-35 other case", set("iss", "https://AUTH.example.com/"), oauth.ReasonWrongIssuer},
		{"JWT-35 http", set("iss", "http://auth.example.com/"), oauth.ReasonWrongIssuer},
		{"JWT-35 port", set("iss", "https://auth.example.com:443/"), oauth.ReasonWrongIssuer},
		{"JWT-35 prefix", set("iss", "https://auth.example.com/.evil.com"), oauth.ReasonWrongIssuer},
		{"JWT-35 array", set("iss", []string{testIssuer}), oauth.ReasonClaim},
		{"JWT-35 missing", set("iss", nil), oauth.ReasonWrongIssuer},
		{"JWT-35 empty", set("iss", ""), oauth.ReasonWrongIssuer},
		{"JWT-35 space", set("iss", testIssuer+" "), oauth.ReasonWrongIssuer},
		{"JWT-36 other issuer, our key", set("iss", "https://other.example.com/"), oauth.ReasonWrongIssuer},
		{"JWT-37 no aud", set("aud", nil), oauth.ReasonWrongAudience},
		{"JWT-37 aud object", set("aud", map[string]any{"x": 1}), oauth.ReasonClaim},
		{"JWT-37 aud number in a list", set("aud", []any{"x", 1}), oauth.ReasonClaim},
		{"JWT-37 aud empty list", set("aud", []string{}), oauth.ReasonClaim},
		{"JWT-37 aud null", raw("aud", "null"), oauth.ReasonClaim},
		{"JWT-37 1000 audiences", set("aud", strings.Split(strings.Repeat("a ", 999)+"a", " ")), oauth.ReasonClaim},
		{"JWT-47 scope array", set("scope", []string{"orders:read"}), oauth.ReasonClaim},
		{"JWT-53 bound by another method", set("cnf", map[string]any{"x5t#S256": "abc"}), oauth.ReasonClaim},
		{"JWT-53 bound to nothing", set("cnf", map[string]any{}), oauth.ReasonClaim},
		{"JWT-53 cnf string", set("cnf", "jkt"), oauth.ReasonClaim},
		{"JWT-53 jkt null", set("cnf", map[string]any{"jkt": json.RawMessage("null")}), oauth.ReasonClaim},
		{"JWT-38 ID token", b.mint(map[string]any{"typ": "JWT"}, nil), oauth.ReasonWrongType},
		{"JWT-39 client assertion", b.mint(map[string]any{"typ": "client-authentication+jwt"}, nil), oauth.ReasonWrongType},
		{"JWT-39 logout token", b.mint(map[string]any{"typ": "logout+jwt"}, nil), oauth.ReasonWrongType},
		{"JWT-39 introspection response", b.mint(map[string]any{"typ": "token-introspection+jwt"}, nil), oauth.ReasonWrongType},
		{"JWT-39 DPoP proof", b.mint(map[string]any{"typ": "dpop+jwt"}, nil), oauth.ReasonWrongType},
		{"JWT-40 application/at+jwt", b.mint(map[string]any{"typ": "application/at+jwt"}, nil), ""},
		{"JWT-40 Application/AT+JWT", b.mint(map[string]any{"typ": "Application/AT+JWT"}, nil), ""},
		{"JWT-40 AT+JWT", b.mint(map[string]any{"typ": "AT+JWT"}, nil), ""},
		{"JWT-40 no typ", b.mint(map[string]any{"typ": nil}, nil), oauth.ReasonWrongType},
		{"JWT-40 application/", b.mint(map[string]any{"typ": "application/"}, nil), oauth.ReasonWrongType},
		{"JWT-40 text/at+jwt", b.mint(map[string]any{"typ": "text/at+jwt"}, nil), oauth.ReasonWrongType},
		{"JWT-40 at+jwt with a space", b.mint(map[string]any{"typ": "at+jwt "}, nil), oauth.ReasonWrongType},
		{"JWT-40 typ number", b.mint(map[string]any{"typ": 1}, nil), oauth.ReasonTokenHeader},
	}
	runAttacks(t, b, attacks)
}
