package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"
)

var all = []Algorithm{ES256, ES384, ES512, EdDSA, RS256, RS384, RS512, PS256, PS384, PS512}

func TestSignAndVerify(t *testing.T) {
	for _, alg := range all {
		t.Run(string(alg), func(t *testing.T) {
			key, err := GenerateKey(alg)
			if err != nil {
				t.Fatal(err)
			}
			token, err := Sign(key, "at+jwt", []byte(`{"sub":"a"}`))
			if err != nil {
				t.Fatal(err)
			}
			header, err := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')])
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, alg, key.ID()); string(header) != want {
				t.Errorf("header %s, want %s", header, want)
			}
			der, err := key.MarshalPKCS8()
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParsePrivateKey(alg, der)
			if err != nil {
				t.Fatal(err)
			}
			if again.ID() != key.ID() || len(key.ID()) != 43 {
				t.Errorf("ID %q after %q", again.ID(), key.ID())
			}
			data, err := MarshalKeySet([]*PublicKey{key.Public()})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), `"d"`) {
				t.Error("the key set holds private parts")
			}
			set, err := ParseKeySet(data)
			if err != nil {
				t.Fatal(err)
			}
			for name, k := range map[string]*PublicKey{"own": key.Public(), "parsed": again.Public(), "set": set.Find(key.ID(), string(alg))[0]} {
				if err := k.Verify(token); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				for _, bad := range []string{"", ".", "..", token[:len(token)-1], token + "A", token + "=", token + "\n", "x" + token, token[:strings.LastIndexByte(token, '.')+1]} {
					if k.Verify(bad) == nil {
						t.Errorf("%s: %q is accepted", name, bad)
					}
				}
			}
		})
	}
}

// TestKeyIDsBeginWithNoDash: of all thumbprints one in 64 does, and operators paste IDs into commands.
func TestKeyIDsBeginWithNoDash(t *testing.T) {
	for range 1000 {
		key, err := GenerateKey(EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(key.ID(), "-") {
			t.Fatalf("a key named %s", key.ID())
		}
	}
}

func TestKeysArePinnedToTheirAlgorithm(t *testing.T) {
	for _, from := range all {
		key, err := GenerateKey(from)
		if err != nil {
			t.Fatal(err)
		}
		der, err := key.MarshalPKCS8()
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range append(all, "none", "HS256", "es256", "ES256K", "") {
			same := to.Valid() && algorithms[to].family == algorithms[from].family && algorithms[to].curve == algorithms[from].curve
			if _, err := ParsePrivateKey(to, der); (err == nil) != same {
				t.Errorf("a key of %s for %q: %v", from, to, err)
			}
		}
	}
	if _, err := GenerateKey("HS256"); err == nil {
		t.Error("a symmetric key was made")
	}
}

func TestSignRefusesATypeThatNeedsEscaping(t *testing.T) {
	key, err := GenerateKey(EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{`a"`, `\`, "\n", " ", "é"} {
		if _, err := Sign(key, typ, []byte("{}")); err == nil {
			t.Errorf("%q is accepted", typ)
		}
	}
}

// JWT-56 of the attack list: CVE-2022-21449 and its kin.
func TestECDSASignatureForms(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := newPublicKey("k", ES256, &private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	input := []byte("eyJ9.e30")
	hash := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, private, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	der, err := ecdsa.SignASN1(rand.Reader, private, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	pair := func(r, s *big.Int) []byte {
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	minus := func(x int64) *big.Int { return new(big.Int).Sub(n, big.NewInt(x)) }
	good := pair(r, s)
	tests := []struct {
		name      string
		signature []byte
		ok        bool
	}{
		{"good", good, true},
		{"the other s, which is as valid", pair(r, new(big.Int).Sub(n, s)), true},
		{"DER", der, false},
		{"63 bytes", good[:63], false},
		{"65 bytes", append(good[:64:64], 0), false},
		{"leading zero", append([]byte{0}, good...), false},
		{"empty", nil, false},
		{"all zero", make([]byte, 64), false},
		{"r 0", pair(new(big.Int), s), false},
		{"s 0", pair(r, new(big.Int)), false},
		{"r n", pair(n, s), false},
		{"s n", pair(r, n), false},
		{"r and s n", pair(n, n), false},
		{"r n-1", pair(minus(1), s), false},
		{"s n-1", pair(r, minus(1)), false},
		{"r and s 1", pair(big.NewInt(1), big.NewInt(1)), false},
		{"swapped", pair(s, r), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := key.VerifySignature(input, tt.signature); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestParseKeySet(t *testing.T) {
	ec, rs, ed := publicJWK(t, ES256), publicJWK(t, RS256), publicJWK(t, EdDSA)
	with := func(jwk map[string]any, change ...any) map[string]any {
		c := maps.Clone(jwk)
		for i := 0; i < len(change); i += 2 {
			if change[i+1] == nil {
				delete(c, change[i].(string))
				continue
			}
			c[change[i].(string)] = change[i+1]
		}
		return c
	}
	oct := map[string]any{"kty": "oct", "kid": "s", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "alg": "HS256"}
	// A modulus of the right length that is a power of 65537 modulo every small prime.
	weakROCA := base64.RawURLEncoding.EncodeToString(new(big.Int).Exp(big.NewInt(65537), big.NewInt(128), nil).Bytes())
	tests := []struct {
		name    string
		keys    []map[string]any
		allowed []Algorithm
		want    int // usable keys; 0 is an error
	}{
		{"EC and RSA", []map[string]any{ec, rs}, nil, 2},
		{"Ed25519 by its name of RFC 9864", []map[string]any{with(ed, "alg", "Ed25519")}, []Algorithm{EdDSA}, 1},
		{"Ed25519 on an EC key", []map[string]any{with(ec, "alg", "Ed25519")}, nil, 0},
		{"Ed448", []map[string]any{with(ed, "alg", "Ed448", "crv", "Ed448")}, nil, 0},
		{"JWT-16 oct is dropped", []map[string]any{oct, ec}, nil, 1},
		{"JWT-16 oct alone", []map[string]any{oct}, nil, 0},
		{"oct with the ID of another", []map[string]any{with(oct, "kid", ec["kid"]), ec}, nil, 1},
		{"G7: one ID for two kinds of key", []map[string]any{ec, with(rs, "kid", ec["kid"])}, nil, 2},
		{"G7: one key twice", []map[string]any{ec, ec}, nil, 1},
		{"G7: one key twice, once without its alg", []map[string]any{ec, with(ec, "alg", nil)}, nil, 1},
		{"G7: one key for two algorithms under one ID", []map[string]any{rs, with(rs, "alg", "RS512")}, nil, 2},
		{"G7, JWT-15: two keys with one ID and algorithm", []map[string]any{ec, with(publicJWK(t, ES256), "kid", ec["kid"])}, nil, 0},
		{"G7: the others stay", []map[string]any{ec, rs, with(publicJWK(t, ES256), "kid", ec["kid"]), ec}, nil, 1},
		{"no ID, twice", []map[string]any{with(ec, "kid", nil), with(rs, "kid", nil)}, nil, 2},
		{"no ID, five of one algorithm", []map[string]any{
			with(ec, "kid", nil), with(publicJWK(t, ES256), "kid", nil), with(publicJWK(t, ES256), "kid", nil),
			with(publicJWK(t, ES256), "kid", nil), with(publicJWK(t, ES256), "kid", nil), rs,
		}, nil, 5},
		{"G12: members that nobody reads", []map[string]any{with(ec, "x5c", []string{"x"}, "x5t", 1, "x5u", "?", "value", "-----BEGIN")}, nil, 1},
		{"JWT-17 use enc", []map[string]any{with(ec, "use", "enc")}, nil, 0},
		{"JWT-17 key_ops without verify", []map[string]any{with(ec, "key_ops", []string{"encrypt"})}, nil, 0},
		{"JWT-17 key_ops empty", []map[string]any{with(ec, "key_ops", []string{})}, nil, 0},
		{"key_ops verify", []map[string]any{with(ec, "key_ops", []string{"verify"}, "use", nil)}, nil, 1},
		{"JWT-18 small RSA", []map[string]any{with(rs, "n", b64n(1024))}, nil, 0},
		{"JWT-18 even modulus", []map[string]any{with(rs, "n", b64n(2048))}, nil, 0},
		{"DOS-08 huge RSA", []map[string]any{with(rs, "n", b64n(16384))}, nil, 0},
		{"JWT-18 exponent 1", []map[string]any{with(rs, "e", "AQ")}, nil, 0},
		{"JWT-18 exponent 0", []map[string]any{with(rs, "e", "AA")}, nil, 0},
		{"JWT-18 even exponent", []map[string]any{with(rs, "e", "AQAC")}, nil, 0},
		{"exponent that overflows to 65537", []map[string]any{with(rs, "e", "AQAAAAAAAQAB")}, nil, 0},
		{"JWT-18 ROCA", []map[string]any{with(rs, "n", weakROCA)}, nil, 0},
		{"JWT-18 point not on the curve", []map[string]any{with(ec, "y", ec["x"])}, nil, 0},
		{"point 0", []map[string]any{with(ec, "x", "AA", "y", "AA")}, nil, 0},
		{"other curve", []map[string]any{with(ec, "crv", "P-384")}, nil, 0},
		{"alg of another curve", []map[string]any{with(ec, "alg", "ES384")}, nil, 0},
		{"alg of another type", []map[string]any{with(ec, "alg", "RS256")}, nil, 0},
		{"alg none", []map[string]any{with(ec, "alg", "none")}, nil, 0},
		{"alg HS256 on an RSA key", []map[string]any{with(rs, "alg", "HS256")}, nil, 0},
		{"alg of encryption", []map[string]any{with(rs, "alg", "RSA-OAEP")}, nil, 0},
		{"alg not allowed", []map[string]any{ec, rs}, []Algorithm{ES256}, 1},
		{"RSA without alg", []map[string]any{with(rs, "alg", nil)}, []Algorithm{ES256, PS256}, 1},
		{"EC without alg", []map[string]any{with(ec, "alg", nil)}, nil, 1},
		{"private key published", []map[string]any{with(ec, "d", ec["x"])}, nil, 0},
		{"ID is a number", []map[string]any{with(ec, "kid", 1)}, nil, 0},
		{"names in another case", []map[string]any{with(ec, "kty", nil, "KTY", "EC")}, nil, 0},
		{"none", []map[string]any{}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := json.Marshal(map[string]any{"keys": tt.keys})
			if err != nil {
				t.Fatal(err)
			}
			set, err := ParseKeySet(data, tt.allowed...)
			if len(set.Keys()) != tt.want || (err == nil) != (tt.want > 0) {
				t.Errorf("%d keys, %v; dropped %v", len(set.Keys()), err, set.Dropped())
			}
		})
	}
	set, err := ParseKeySet(mustJSON(t, map[string]any{"keys": []any{with(rs, "alg", nil)}}), ES256, PS256)
	if err != nil || set.Keys()[0].Algorithm() != PS256 {
		t.Errorf("an RSA key without alg is pinned to %v, %v", set.Keys(), err)
	}
}

func TestParseKeySetRefusesDocuments(t *testing.T) {
	ec := string(mustJSON(t, publicJWK(t, ES256)))
	many := strings.Repeat(`{"kty":"oct"},`, maxKeys) + ec
	for name, doc := range map[string]string{
		"empty":            ``,
		"null":             `null`,
		"array":            `[]`,
		"HTML":             `<html>`,
		"no keys":          `{}`,
		"keys null":        `{"keys":null}`,
		"keys an object":   `{"keys":{}}`,
		"duplicate keys":   `{"keys":[` + ec + `],"keys":[]}`,
		"duplicate in key": `{"keys":[{"kty":"EC",` + ec[1:] + `]}`,
		"trailing":         `{"keys":[` + ec + `]}{}`,
		"bad UTF-8":        `{"keys":[` + ec + `],"x":"` + "\xff" + `"}`,
		"too many":         `{"keys":[` + many + `]}`,
		"too long":         `{"keys":[` + ec + `]}` + strings.Repeat(" ", MaxSetBytes),
		"other case":       `{"Keys":[` + ec + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseKeySet([]byte(doc)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestROCASparesSoundKeys(t *testing.T) {
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		if roca(key.N) {
			t.Error("a sound modulus is refused")
		}
	}
}

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseKeySet(data)
		if (err == nil) != (len(set.Keys()) > 0) {
			t.Fatalf("%d keys, %v", len(set.Keys()), err)
		}
		if err != nil {
			return
		}
		if _, err := MarshalKeySet(set.Keys()); err != nil {
			t.Fatal(err)
		}
	})
}

func publicJWK(t *testing.T, alg Algorithm) map[string]any {
	t.Helper()
	key, err := GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	data, err := MarshalKeySet([]*PublicKey{key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys[0]
}

// b64n is an even number of the given bit length.
func b64n(bits uint) string {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return base64.RawURLEncoding.EncodeToString(n.Bytes())
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
