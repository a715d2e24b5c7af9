package verify

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

func TestScopeIsSplitAtSpacesOnly(t *testing.T) {
	for scope, want := range map[string][]string{
		"":           {},
		" ":          {},
		"read":       {"read"},
		"read write": {"read", "write"},
		"read  x ":   {"read", "x"},
		"read\tx":    {"read\tx"},
		"read\u00a0": {"read\u00a0"},
		"READ":       {"READ"},
	} {
		text, err := json.Marshal(map[string]string{"scope": scope})
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseClaims(text)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(c.Scope, "|") != strings.Join(want, "|") || len(c.Scope) != len(want) {
			t.Errorf("%q is %q, want %q", scope, c.Scope, want)
		}
	}
}

func TestNumericDates(t *testing.T) {
	for text, want := range map[string]time.Time{
		"0":              time.Unix(0, 0),
		"1.5":            time.Unix(1, 500000000),
		"1700000000.25":  time.Unix(1700000000, 250000000),
		"1.7e9":          time.Unix(1700000000, 0),
		"253402300799":   time.Unix(253402300799, 0),
		"-0":             time.Unix(0, 0),
		"253402300800":   {},
		"253402300799.5": {},
		"-1":             {},
		"-0.5":           {},
		"1e308":          {},
		"1e309":          {},
		`"1"`:            {},
		"null":           {},
		"true":           {},
		"[1]":            {},
		"{}":             {},
		"01":             {},
		"1.":             {},
		"+1":             {},
		"0x1":            {},
		"NaN":            {},
	} {
		c, err := parseClaims([]byte(`{"exp":` + text + `}`))
		if want.IsZero() {
			if err == nil {
				t.Errorf("%s is %v", text, c.Expiry)
			}
			continue
		}
		if err != nil || !c.Expiry.Equal(want) {
			t.Errorf("%s is %+v, %v, want %v", text, c, err, want)
		}
	}
}

func TestLookupKeepsNumbersExact(t *testing.T) {
	c, err := parseClaims([]byte(`{"id":9007199254740993,"f":1.10,"l":[1,{"a":null}],"n":null,"e\u0061":"\u00e4","a.b":{"c":1},"a":{"b":{"c":2}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"id": "9007199254740993", "f": "1.10", "l": `[1,{"a":null}]`, "n": "null", "ea": `"ä"`, "a.b.c": "2", "a.b": `{"c":1}`,
	} {
		v, ok := c.Lookup(path)
		text, err := json.Marshal(v)
		if !ok || err != nil || string(text) != want {
			t.Errorf("%s is %s, %v, %v, want %s", path, text, ok, err, want)
		}
	}
}

// sameAsStandard makes sure that encoding/json reads what the strict reader
// took as the same: nobody behind us sees another subject than we do.
func sameAsStandard(t *testing.T, payload []byte, c *Claims) {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", payload, err)
	}
	for name, got := range map[string]string{
		"iss": c.Issuer, "sub": c.Subject, "client_id": c.ClientID, "jti": c.ID, "acr": c.ACR, "sid": c.SessionID, "nonce": c.Nonce,
	} {
		if want, _ := m[name].(string); got != want {
			t.Errorf("%s is %q, encoding/json reads %q", name, got, want)
		}
	}
	if want := audienceOf(m["aud"]); !slices.Equal(c.Audience, want) {
		t.Errorf("aud is %q, encoding/json reads %q", c.Audience, want)
	}
	scope, _ := m["scope"].(string)
	if want := strings.FieldsFunc(scope, isSpace); !slices.Equal(c.Scope, want) {
		t.Errorf("scope is %q, encoding/json reads %q", c.Scope, want)
	}
	if _, ok := m["sub"]; ok {
		if v, ok := c.Lookup("sub"); !ok || v != c.Subject {
			t.Errorf("sub is %q and looked up %v", c.Subject, v)
		}
	}
	if len(m) != len(c.members) && c.members != nil {
		t.Errorf("%d members, encoding/json reads %d", len(c.members), len(m))
	}
}

func audienceOf(aud any) (list []string) {
	if one, ok := aud.(string); ok {
		return []string{one}
	}
	several, _ := aud.([]any)
	for _, v := range several {
		text, _ := v.(string)
		list = append(list, text)
	}
	return list
}

func FuzzClaims(f *testing.F) {
	for _, s := range []string{
		`{"iss":"i","sub":"s","aud":["a","b"],"exp":1700000000.5,"cnf":{"jkt":"x","y":[{}]},"scope":"a b","gh_fam":"AQAAAAAAAAAAAAAAAAAAAA"}`,
		` { "aud" : [ "a" , "\u0062" ] , "scope" : " a  b c" , "iss" : "\n" , "jti" : "é" , "nonce" : "" } `,
		`{"sub":"a","sub":"b"}`, `{"\u0073ub":"a"}`, `{"x":{"a":[1,2,{"b":null}]},"y":1e400}`, `{`, `null`, `{"aud":[`, "{\"x\":\"\xff\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parseClaims(payload)
		if err != nil {
			if c != nil || !errors.Is(err, errClaim) && !errors.Is(err, jose.ErrMalformed) {
				t.Fatalf("%v beside %v", c, err)
			}
			return
		}
		sameAsStandard(t, payload, c)
		c.Lookup("a.b.c")
	})
}

func FuzzHeader(f *testing.F) {
	for _, s := range []string{
		`{"alg":"ES256","kid":"k","typ":"at+jwt"}`, `{"alg":"none"}`, `{"alg":"ES256","crit":[]}`, `{"alg":"a","alg":"b"}`, `{"ALG":"ES256"}`, `null`, `{"alg":"ES256"}{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		h, err := jose.ParseHeader(object)
		if err != nil {
			return
		}
		var m map[string]any
		if err := json.Unmarshal(object, &m); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", object, err)
		}
		if m["alg"] != h.Alg || h.Alg == "" || h.Kid != "" && m["kid"] != h.Kid {
			t.Errorf("header %+v, encoding/json reads %v", h, m)
		}
		for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"} {
			if _, ok := m[name]; ok {
				t.Errorf("%s is accepted", name)
			}
		}
	})
}

func FuzzPrecheck(f *testing.F) {
	good := tokenstest.Segment(`{"alg":"ES256","kid":"k","typ":"at+jwt"}`) + "." + tokenstest.Segment(`{"sub":"a"}`) + "." + tokenstest.Segment(strings.Repeat("x", 64))
	for _, s := range []string{good, good + ".", "." + good, good + "=", good + "\n", "..", strings.Repeat(".", 100), "a.b.c", "{}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		c, err := jose.ParseCompact(token)
		if err != nil {
			return
		}
		// A token has one spelling: what was read makes the same text again.
		parts := strings.Split(token, ".")
		enc := base64.RawURLEncoding
		if len(parts) != 3 || enc.EncodeToString(c.Payload) != parts[1] || enc.EncodeToString(c.Signature) != parts[2] ||
			c.Signed != parts[0]+"."+parts[1] || len(token) > oauth.MaxTokenBytes {
			t.Errorf("%q is read as %+v", token, c)
		}
	})
}

func FuzzVerify(f *testing.F) {
	b := newTokenBench(f, jose.ES256)
	good := b.mint(nil, nil)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := b.verifier.Verify(token)
		if (err == nil) != (token == good) || (c == nil) != (err != nil) {
			t.Errorf("%q: %v, %v", token, c, err)
		}
	})
}

// The memory of what a token holds is charged alike, read for Lookup or not,
// and by whatever path it was read.
func TestSizeCountsValues(t *testing.T) {
	const required = `"iss":"https://a.example/","sub":"s","aud":"a","client_id":"c","jti":"j","exp":4000000000,"iat":1`
	for name, more := range map[string]struct {
		json string
		want int64
	}{
		"nothing": {``, 14*jose.NodeBytes + jose.ObjectBytes},
		"list":    {`,"l":["a","b",1,[true]]`, (16+5)*jose.NodeBytes + jose.ObjectBytes},
		"object":  {`,"o":{"a":{"b":null},"c":[{}]}`, (16+7)*jose.NodeBytes + 4*jose.ObjectBytes},
		"members": {`,"m":{"a":1,"b":2,"c":3}`, (16+6)*jose.NodeBytes + 2*jose.ObjectBytes},
	} {
		payload := []byte("{" + required + more.json + "}")
		own, err := parseClaims(payload)
		if err != nil {
			t.Fatal(err)
		}
		other, err := NewForeign(ForeignConfig{Issuer: "https://a.example/"}).readClaims(payload, true)
		if err != nil {
			t.Fatal(err)
		}
		if own.memory != more.want || other.memory != more.want || own.Size() != other.Size() {
			t.Errorf("%s: charged %d and %d, want %d", name, own.memory, other.memory, more.want)
		}
	}
}

const rfc9449Thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

// TestRFC9449Binding: the binding in an access token, RFC 9449 §6.1 figure 9.
func TestRFC9449Binding(t *testing.T) {
	c, err := parseClaims([]byte(`{"sub":"someone@example.com","iss":"https://server.example.com","nbf":1562262611,"exp":1562266216,` +
		`"cnf":{"jkt":"` + rfc9449Thumbprint + `"}}`))
	if err != nil || c.Confirmation == nil || c.Confirmation.Key.String() != rfc9449Thumbprint || c.Binding().TokenType() != "DPoP" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestM5GroupsOfAnotherIssuer: groups are read of a token of this gateway, and of no other,
// whatever its claims are called.
func TestM5GroupsOfAnotherIssuer(t *testing.T) {
	own, err := ParseClaims([]byte(`{"iss":"a","sub":"b","aud":"c","client_id":"d","jti":"e","iat":1,"exp":2,"groups":["eu","staff"]}`), nil)
	if err != nil || !slices.Equal(own.Groups, []string{"eu", "staff"}) {
		t.Fatalf("groups %q, %v", own.Groups, err)
	}
	b := newForeignBench(t)
	v := b.route(b.configA(func(*ForeignConfig) {}), b.configB())
	token := b.a.mint(nil, map[string]any{"groups": []string{"staff"}, "jti": "x"})
	for _, round := range []string{"miss", "hit"} {
		c, err := v.Verify(token)
		if err != nil || !c.Foreign() || len(c.Groups) > 0 {
			t.Fatalf("%s: groups %q, %v", round, c.Groups, err)
		}
		b.cache.entries.Wait()
	}
}
