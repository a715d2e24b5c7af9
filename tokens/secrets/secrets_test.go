package secrets_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

func TestNewSecretsRefusesWeakOnes(t *testing.T) {
	long := bytes.Repeat([]byte{1}, secrets.SecretSize)
	for name, values := range map[string][][]byte{
		"none":         nil,
		"empty":        {nil},
		"31 bytes":     {long[1:]},
		"short second": {long, long[1:]},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := secrets.NewSecrets(values...)
			if err == nil || !strings.Contains(err.Error(), "openssl rand") {
				t.Errorf("got %v, want an error that names the fix", err)
			}
			if err != nil && strings.Contains(err.Error(), "\x01") {
				t.Error("the error holds the secret")
			}
		})
	}
}

// The derivation is part of the format: another one would end all tokens.
func TestSecretsDerivationIsFixed(t *testing.T) {
	s := tokenstest.Secrets(t, "a")
	mac := s.MAC(secrets.PurposeRefresh, []byte("a"), []byte("b"))
	if got, want := hex.EncodeToString(mac[:]), "2fe6c8ea314377390e05f9d72d258e4b"; got != want {
		t.Errorf("MAC %s, want %s", got, want)
	}
	id := s.IDs()[0]
	if got, want := hex.EncodeToString(id[:]), "780447cc7aa329d0569888a67c73c04d"; got != want {
		t.Errorf("identifier %s, want %s", got, want)
	}
}

func TestSecretsMAC(t *testing.T) {
	a, ab, ba, b := tokenstest.Secrets(t, "a"), tokenstest.Secrets(t, "a", "b"), tokenstest.Secrets(t, "b", "a"), tokenstest.Secrets(t, "b")
	part := func(parts ...string) (p [][]byte) {
		for _, s := range parts {
			p = append(p, []byte(s))
		}
		return p
	}
	mac := a.MAC(secrets.PurposeRefresh, part("user", "client")...)
	tests := []struct {
		name    string
		secrets *secrets.Secrets
		purpose secrets.Purpose
		mac     []byte
		parts   [][]byte
		index   int
		ok      bool
	}{
		{"same", a, secrets.PurposeRefresh, mac[:], part("user", "client"), 0, true},
		{"first of two", ab, secrets.PurposeRefresh, mac[:], part("user", "client"), 0, true},
		{"second of two", ba, secrets.PurposeRefresh, mac[:], part("user", "client"), 1, true},
		{"other secret", b, secrets.PurposeRefresh, mac[:], part("user", "client"), 0, false},
		{"other purpose", a, secrets.PurposeCode, mac[:], part("user", "client"), 0, false},
		{"other text", a, secrets.PurposeRefresh, mac[:], part("user", "clienT"), 0, false},
		{"other borders", a, secrets.PurposeRefresh, mac[:], part("userc", "lient"), 0, false},
		{"empty part more", a, secrets.PurposeRefresh, mac[:], part("user", "client", ""), 0, false},
		{"cut", a, secrets.PurposeRefresh, mac[:15], part("user", "client"), 0, false},
		{"empty", a, secrets.PurposeRefresh, nil, part("user", "client"), 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			index, ok := tt.secrets.CheckMAC(tt.purpose, tt.mac, tt.parts...)
			if index != tt.index || ok != tt.ok {
				t.Errorf("got %d, %v", index, ok)
			}
		})
	}
}

func TestSecretsSeal(t *testing.T) {
	a, ba, b := tokenstest.Secrets(t, "a"), tokenstest.Secrets(t, "b", "a"), tokenstest.Secrets(t, "b")
	plain, aad := []byte("state"), []byte("cookie")
	sealed := a.Seal(secrets.PurposeSealPage, plain, aad)
	if bytes.Equal(sealed, a.Seal(secrets.PurposeSealPage, plain, aad)) {
		t.Error("two seals of the same are equal")
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	tests := []struct {
		name    string
		secrets *secrets.Secrets
		purpose secrets.Purpose
		sealed  []byte
		aad     []byte
		index   int
		ok      bool
	}{
		{"same", a, secrets.PurposeSealPage, sealed, aad, 0, true},
		{"second of two", ba, secrets.PurposeSealPage, sealed, aad, 1, true},
		{"other secret", b, secrets.PurposeSealPage, sealed, aad, 0, false},
		{"other purpose", a, secrets.PurposeSealKeys, sealed, aad, 0, false},
		{"other context", a, secrets.PurposeSealPage, sealed, []byte("page"), 0, false},
		{"changed", a, secrets.PurposeSealPage, changed, aad, 0, false},
		{"cut", a, secrets.PurposeSealPage, sealed[:11], aad, 0, false},
		{"empty", a, secrets.PurposeSealPage, nil, aad, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, index, err := tt.secrets.Open(tt.purpose, tt.sealed, tt.aad)
			if (err == nil) != tt.ok || index != tt.index || tt.ok && !bytes.Equal(got, plain) {
				t.Errorf("got %q, %d, %v", got, index, err)
			}
		})
	}
}

func TestSecretsIDs(t *testing.T) {
	ids := tokenstest.Secrets(t, "a", "b").IDs()
	if len(ids) != 2 || ids[0] == ids[1] || ids[1] != tokenstest.Secrets(t, "b").IDs()[0] {
		t.Errorf("identifiers %x", ids)
	}
}

func TestSecretsAreSafeForConcurrentUse(t *testing.T) {
	s := tokenstest.Secrets(t, "a")
	want := s.MAC(secrets.PurposeRefresh, []byte("x"))
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 1000 {
				if s.MAC(secrets.PurposeRefresh, []byte("x")) != want {
					t.Error("MACs differ")
					return
				}
			}
		})
	}
	done.Wait()
}

func BenchmarkMAC(b *testing.B) {
	s := tokenstest.Secrets(b, "a")
	part := make([]byte, 60)
	b.ReportAllocs()
	for b.Loop() {
		s.MAC(secrets.PurposeRefresh, part)
	}
}
