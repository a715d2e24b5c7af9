package caddymodule

import (
	"strings"
	"testing"
)

// M-30: a path that clients call, and that a matcher leaves out, is named by `check` and at the
// start; so is a document that nobody can get.
func TestM30PathsBesideTheGuard(t *testing.T) {
	const (
		open  = " is not guarded: the matcher leaves it out"
		lost  = "the document that every challenge names"
		block = " {\naudience https://api.example.com/mcp\nmcp\n}\n"
		plain = " {\naudience https://api.example.com/mcp\n}\n"
		whole = " {\naudience https://api.example.com\n}\n"
		proxy = "reverse_proxy localhost:9000\n"
	)
	for _, tt := range []struct{ name, site, want string }{
		{"below alone", "bearer_auth /mcp/*" + block + proxy, "/mcp" + open},
		{"below alone, without mcp", "bearer_auth /mcp/*" + plain + proxy, "/mcp" + open},
		{"both", "@mcp path /mcp /mcp/*\nbearer_auth @mcp" + block + proxy, ""},
		{"both, and a method", "@mcp {\nmethod POST\npath /mcp /mcp/*\n}\nbearer_auth @mcp" + block + proxy, ""},
		{"an expression", "@mcp path_regexp ^/mcp(/|$)\nbearer_auth @mcp" + block + proxy, ""},
		{"all that begins so", "bearer_auth /mcp*" + block + proxy, ""},
		{"no matcher", "bearer_auth" + block + proxy, ""},
		{"two guards", "bearer_auth /mcp" + block + "bearer_auth /mcp/*" + block + proxy, ""},
		{"two guards, one of a part", "bearer_auth /mcp/admin/*" + plain + "@mcp path /mcp /mcp/*\nbearer_auth @mcp" + block + proxy, ""},
		{"elsewhere", "bearer_auth /other" + block + proxy, "/mcp" + open},
		{"the whole host, a part of it", "bearer_auth /api/*" + whole + proxy, ""},
		{"the whole host for MCP clients", "bearer_auth /api/*" + strings.Replace(whole, "\n}", "\nmcp\n}", 1) + proxy, "/api" + open},
		{"in a block", "handle /mcp/* {\nbearer_auth" + block + proxy + "}\nhandle {\n" + proxy + "}", "/mcp" + open + "|" + lost},
		{"in a block that takes both", "handle /mcp* {\nbearer_auth" + block + proxy + "}\nhandle {\n" + proxy + "}", lost},
		{"in a block, and the document in another", "handle /mcp* {\nbearer_auth" + block + proxy + "}\nhandle /.well-known/oauth-protected-resource* {\nbearer_auth" + block + "}", ""},
		{"in a block, and a guard ahead of it", "handle /mcp/write {\nbearer_auth" + block + proxy + "}\n@mcp path /mcp /mcp/*\nbearer_auth @mcp" + block + proxy, ""},
		{"handle_path, without mcp", "handle_path /mcp/* {\nbearer_auth" + plain + proxy + "}", ""},
		{"handle_path", "handle_path /mcp/* {\nbearer_auth" + block + proxy + "}", "/mcp" + open + "|" + lost},
		{"another site guards it", "bearer_auth /mcp/*" + block + proxy + "}\nother.example.com {\nbearer_auth" + block + proxy, "/mcp" + open},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := check(t, "https://auth.example.com", "api https://api.example.com/mcp {\nscopes mcp:tools\n}", "auth.example.com {\noauth_server\n}\napi.example.com {\n"+tt.site+"\n}")
			want := strings.Split(tt.want, "|")
			if n := strings.Count(out, open) + strings.Count(out, lost); tt.want == "" && n > 0 || tt.want != "" && n != len(want) {
				t.Fatalf("%d findings, want %q:\n%s", n, tt.want, out)
			}
			for _, text := range want {
				if !strings.Contains(out, text) {
					t.Errorf("no %q in:\n%s", text, out)
				}
			}
		})
	}
	g := startGateway(t, gatewayOptions{API: "bearer_auth /mcp/* {\naudience https://api.example.com\nmcp\n}\nrespond ok"})
	if logs := g.logs(); !strings.Contains(logs, "/mcp"+open) {
		t.Errorf("the start says nothing of it:\n%s", logs)
	}
}
