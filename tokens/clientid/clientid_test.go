package clientid

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func keysOf(t testing.TB, fill byte) *Keys {
	t.Helper()
	k, err := NewKeys(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What clients that are in use really register, loopback ports left out.
var bodies = map[string]Metadata{
	"Claude Code": {Name: "Claude Code", RedirectURIs: []string{"http://localhost/callback"}},
	"VS Code": {Name: "Visual Studio Code", RedirectURIs: []string{
		"https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/", "http://localhost/",
	}},
	"Cursor": {Name: "Cursor", RedirectURIs: []string{
		"cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost/callback",
	}},
	"mcp-remote":            {Name: "MCP CLI Proxy", RedirectURIs: []string{"http://localhost/oauth/callback"}},
	"claude.ai":             {Name: "Claude", RedirectURIs: []string{"https://claude.ai/api/mcp/auth_callback"}},
	"a secret":              {Name: "Scripts", RedirectURIs: []string{"https://tools.example.org/oauth/callback"}, Method: MethodPost, NoRefresh: true},
	"a name from elsewhere": {Name: "Кошка 猫 \U0001f408", RedirectURIs: []string{"com.example.cat:/cb"}},
	"nothing":               {RedirectURIs: []string{"x:y"}},
}

// M-02, M-03: the ids of real clients fit into the address line of a terminal, and a
// record of Windows' credential manager.
func TestM03Sealed(t *testing.T) {
	k := keysOf(t, 1)
	for name, m := range bodies {
		id := k.Seal(m, [16]byte{7})
		got, ok := k.Open(id)
		if !ok || got.Name != m.Name || !slices.Equal(got.RedirectURIs, m.RedirectURIs) || got.Method != m.Method || got.NoRefresh != m.NoRefresh {
			t.Errorf("%s: %q opens as %+v, %t", name, id, got, ok)
		}
		if len(id) > 120 {
			t.Errorf("%s: the id has %d characters", name, len(id))
		}
	}
}

// M-05: what is registered again is the same client, however often, unless it has a secret.
// M-15: the secret is of the id, and that is nobody else's.
func TestM05M15OneClient(t *testing.T) {
	k, m := keysOf(t, 1), bodies["Claude Code"]
	if a, b := k.Seal(m, [16]byte{1}), k.Seal(m, [16]byte{2}); a != b {
		t.Errorf("%s and %s are one registration", a, b)
	}
	m.Method = MethodBasic
	a, b := k.Seal(m, [16]byte{1}), k.Seal(m, [16]byte{2})
	if a == b || k.Secret(a) == k.Secret(b) || k.Secret(a) == encoding.EncodeToString(mac(k.Tag(a))) {
		t.Error("two clients with a secret have one id, or one secret")
	}
}

func mac(m [16]byte) []byte { return m[:] }

// Ids that were cut, mixed, changed or made elsewhere are no ids.
func TestForeignIDs(t *testing.T) {
	k, other := keysOf(t, 1), keysOf(t, 2)
	a, b := k.Seal(bodies["Cursor"], [16]byte{}), k.Seal(bodies["VS Code"], [16]byte{})
	bad := []string{"", Prefix, a[4:], "rc2." + a[4:], a + "A", a + "==", a + "\n", a[:len(a)-1], a[:20] + b[20:], b[:20] + a[20:], strings.ToUpper(a), other.Seal(bodies["Cursor"], [16]byte{})}
	for i := range len(a) {
		bad = append(bad, a[:i], a[:i]+"-"+a[i:])
	}
	for _, id := range bad {
		if m, ok := k.Open(id); ok {
			t.Errorf("%q opens as %+v", id, m)
		}
	}
	if k.Tag(a) == other.Tag(a) || k.Tag(a) == k.Tag(b) {
		t.Error("tags are equal")
	}
}

func TestPhrases(t *testing.T) {
	if len(phrases) > 128 {
		t.Fatalf("%d phrases do not fit into a byte", len(phrases))
	}
	for i, phrase := range phrases {
		if got := pack(phrase); got != string([]byte{byte(firstPhrase + i)}) {
			t.Errorf("%q is packed as %q: a phrase before it stands for its beginning", phrase, got)
		}
	}
}

func FuzzPack(f *testing.F) {
	for _, m := range bodies {
		f.Add(m.Name + "\n" + strings.Join(m.RedirectURIs, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "\x01", "")
		if got := unpack([]byte(pack(text))); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	k := keysOf(b, 1)
	id := k.Seal(bodies["Cursor"], [16]byte{})
	for b.Loop() {
		if _, ok := k.Open(id); !ok {
			b.Fatal("it does not open")
		}
	}
}
