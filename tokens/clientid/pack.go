package clientid

import "strings"

// phrases are what registrations often say. In an id each is one byte: 0x80 and its number.
// They are part of the format, so none is ever changed or moved; new ones go to the end.
// The first that fits is taken, so a longer one stands before its beginnings.
var phrases = []string{
	"https://chatgpt.com/connector_platform_oauth_redirect",
	"https://www.cursor.com/agents/mcp/oauth/callback",
	"cursor://anysphere.cursor-mcp/oauth/callback",
	"https://claude.com/api/mcp/auth_callback",
	"https://claude.ai/api/mcp/auth_callback",
	"claude://claude.ai/mcp-auth-callback/sdk",
	"https://oauth.n8n.cloud/oauth2/callback",
	"https://chatgpt.com/connector/oauth/",
	"https://insiders.vscode.dev/redirect",
	"https://vscode.dev/redirect",
	"http://localhost/oauth/callback",
	"http://127.0.0.1/oauth/callback",
	"http://localhost/callback",
	"http://127.0.0.1/callback",
	"http://localhost/",
	"http://127.0.0.1/",
	"http://[::1]/",
	"http://localhost",
	"http://127.0.0.1",
	"http://[::1]",
	"https://",
	"http://",
	"/api/mcp/auth_callback",
	"/api/auth/callback",
	"/oauth2/callback",
	"/oauth/callback",
	"/auth/callback",
	"/mcp/callback",
	"/callback",
	"/redirect",
	"/oauth2/",
	"/oauth/",
	"/auth/",
	"/api/",
	"/mcp/",
	"callback",
	"redirect",
	"://",
	".example.com",
	".com/",
	".dev/",
	".net/",
	".org/",
	".app/",
	".io/",
	".ai/",
	".com",
	"www.",
	"app.",
	"Gemini CLI MCP Client",
	"Visual Studio Code",
	"GitHub Copilot",
	"MCP CLI Proxy",
	"MCP Inspector",
	"Claude Code",
	"ChatGPT",
	"Claude",
	"Cursor",
	"Codex",
	"connector",
	"Connector",
	"server",
	"Server",
	"client",
	"Client",
	"agent",
	"Agent",
	"oauth",
	"auth",
	"local",
	"code",
	"MCP ",
	"MCP",
	"mcp",
	"api",
	"ing",
	"ion",
	"er",
	"in",
	"on",
	"re",
	"te",
	"co",
}

// literal comes before a byte that is none of a phrase.
const literal = 0x01

const firstPhrase = 0x80

// packer replaces phrases, and escapes what could be read as one.
var packer = func() *strings.Replacer {
	var pairs []string
	for i, phrase := range phrases {
		pairs = append(pairs, phrase, string([]byte{byte(firstPhrase + i)}))
	}
	for b := firstPhrase; b <= 0xff; b++ {
		pairs = append(pairs, string([]byte{byte(b)}), string([]byte{literal, byte(b)}))
	}
	return strings.NewReplacer(pairs...)
}()

// pack makes a text shorter: one without control characters but line ends.
func pack(text string) string { return packer.Replace(text) }

// unpack undoes pack.
func unpack(packed []byte) string {
	var b strings.Builder
	b.Grow(4 * len(packed))
	for i := 0; i < len(packed); i++ {
		switch c := packed[i]; {
		case c == literal && i+1 < len(packed):
			i++
			b.WriteByte(packed[i])
		case c >= firstPhrase && int(c-firstPhrase) < len(phrases):
			b.WriteString(phrases[c-firstPhrase])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
