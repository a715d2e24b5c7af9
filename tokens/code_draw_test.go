package tokens

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestFamilyIDsBeginWithNoDash: of all IDs one in 64 would, and operators paste them into commands.
func TestFamilyIDsBeginWithNoDash(t *testing.T) {
	i := &Issuer{cfg: Config{Rand: rand.Reader}}
	for name, derive := range map[string]func([16]byte) storage.CodeKey{
		"login":  func(key [16]byte) storage.CodeKey { return key },
		"device": func(key [16]byte) storage.CodeKey { return deviceCode{key: key}.codeKey() },
	} {
		for range 1000 {
			key, err := i.drawCode(derive)
			if err != nil {
				t.Fatal(err)
			}
			if id := derive(key).FamilyKey().ID().String(); strings.HasPrefix(id, "-") {
				t.Fatalf("%s: a family named %s", name, id)
			}
		}
	}
}
