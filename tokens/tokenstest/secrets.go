package tokenstest

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
)

// Secrets makes secrets, each of a name repeated.
func Secrets(t testing.TB, names ...string) *secrets.Secrets {
	t.Helper()
	values := make([][]byte, len(names))
	for i, n := range names {
		values[i] = []byte(strings.Repeat(n, secrets.SecretSize))
	}
	s, err := secrets.NewSecrets(values...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
