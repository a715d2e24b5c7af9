package tokens

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func testSecrets(t testing.TB, values ...byte) *secrets.Secrets {
	t.Helper()
	var all [][]byte
	for _, v := range values {
		all = append(all, bytes.Repeat([]byte{v}, 32))
	}
	s, err := secrets.NewSecrets(all...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testRefreshToken() refreshToken {
	return refreshToken{
		user: storage.TagSubject("local|alice"), family: storage.FamilyKey{1, 2, 3}, client: storage.TagClient("spa"), grant: storage.GrantID{4, 5}, generation: 7,
	}
}

func TestRefreshTokenText(t *testing.T) {
	s := testSecrets(t, 1)
	want := testRefreshToken()
	text := want.text(s)
	if text != want.text(s) {
		t.Error("the same generation has two texts")
	}
	got, secret, ok := parseRefreshToken(s, text)
	if !ok || got != want || secret != 0 {
		t.Fatalf("parsed %+v, %d, %v", got, secret, ok)
	}
	for i := range len(text) {
		b := []byte(text)
		b[i] ^= 1
		if _, _, ok := parseRefreshToken(s, string(b)); ok {
			t.Fatalf("a token with character %d changed was taken", i)
		}
	}
	for _, bad := range []string{"", "rt1.", text[:len(text)-1], text + "A", text + "=", " " + text, "rt2." + text[4:], strings.ToUpper(text), text[:10] + "\n" + text[10:]} {
		if _, _, ok := parseRefreshToken(s, bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
	zero := want
	zero.generation = 0
	if _, _, ok := parseRefreshToken(s, zero.text(s)); ok {
		t.Error("generation 0 was taken")
	}
}

// TestReferencesKeepApart makes sure that what was made for one use, or under
// another secret, is worth nothing in another.
func TestReferencesKeepApart(t *testing.T) {
	s, other := testSecrets(t, 1), testSecrets(t, 2)
	ref := reference{user: storage.TagSubject("local|alice"), key: [16]byte{1}}
	code, session := ref.text(s, secrets.PurposeCode), ref.text(s, secrets.PurposeSession)
	if _, _, ok := parseReference(s, secrets.PurposeSession, code); ok {
		t.Error("a code was taken for a session cookie")
	}
	if _, _, ok := parseReference(s, secrets.PurposeCode, session); ok {
		t.Error("a session cookie was taken for a code")
	}
	if _, _, ok := parseReference(other, secrets.PurposeCode, code); ok {
		t.Error("a code of another secret was taken")
	}
	if got, n, ok := parseReference(testSecrets(t, 2, 1), secrets.PurposeCode, code); !ok || n != 1 || got != ref {
		t.Error("a code of the older secret was refused")
	}
}

func FuzzParseRefreshToken(f *testing.F) {
	s := testSecrets(f, 1)
	f.Add(testRefreshToken().text(s))
	f.Add("rt1.")
	f.Fuzz(func(t *testing.T, text string) {
		if got, _, ok := parseRefreshToken(s, text); ok && got.text(s) != text {
			t.Errorf("%q has a second spelling", text)
		}
	})
}
