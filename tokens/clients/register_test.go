package clients

import (
	"bytes"
	"testing"
)

func registeringDirectory(t testing.TB) *Directory {
	t.Helper()
	lasting := bytes.Repeat([]byte{7}, 32)
	d, err := NewDirectory(nil, Unregistered{
		Lasting:      func() []byte { return lasting },
		Registration: &Policy{APIs: []string{"https://mcp.example.com/mcp"}, RedirectHosts: []string{"www.cursor.com"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var cursorBody = Registering{Name: "Cursor", RedirectURIs: []string{
	"cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback",
}}

// BenchmarkRegister is a registration without the network. The goal is 50 µs.
func BenchmarkRegister(b *testing.B) {
	d := registeringDirectory(b)
	for b.Loop() {
		if _, err := d.Register(cursorBody, [16]byte{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkResolve is what each request of such a client costs. The goal is 5 µs.
func BenchmarkResolve(b *testing.B) {
	d := registeringDirectory(b)
	r, err := d.Register(cursorBody, [16]byte{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := d.Resolve(b.Context(), r.ID); err != nil {
			b.Fatal(err)
		}
	}
}
