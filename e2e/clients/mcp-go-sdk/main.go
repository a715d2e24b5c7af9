// Command mcp-go-sdk is a client with the protocol's own SDK for Go, as its example of a client with OAuth is.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/url"
	"os"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

const redirectURI = "http://localhost:3142/callback"

var (
	lines = bufio.NewScanner(os.Stdin)
	out   = json.NewEncoder(os.Stdout)
)

// order is a line that the program is told.
type order struct{ URL, Tool, Back string }

func read() (o order) {
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &o) != nil {
		os.Exit(1)
	}
	return o
}

// authorize sends the person to a browser, and reads where that has come back.
func authorize(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	_ = out.Encode(map[string]string{"open": args.URL})
	back, err := url.Parse(read().Back)
	if err != nil {
		return nil, err
	}
	q := back.Query()
	return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
}

func newHandler() (*auth.AuthorizationCodeHandler, error) {
	config := &auth.AuthorizationCodeHandlerConfig{RedirectURL: redirectURI, AuthorizationCodeFetcher: authorize}
	if id := os.Getenv("CLIENT_ID"); id != "" {
		config.PreregisteredClient = &oauthex.ClientCredentials{ClientID: id}
	} else if document := os.Getenv("CLIENT_DOCUMENT"); document != "" {
		config.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: document}
	} else {
		config.DynamicClientRegistrationConfig = &auth.DynamicClientRegistrationConfig{
			Metadata: &oauthex.ClientRegistrationMetadata{ClientName: "Go SDK", RedirectURIs: []string{redirectURI}},
		}
	}
	return auth.NewAuthorizationCodeHandler(config)
}

func run(ctx context.Context, handler *auth.AuthorizationCodeHandler, o order) (map[string]any, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "mcp-go-sdk", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: o.URL, OAuthHandler: handler}, nil)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	if o.Tool == "" {
		tools, err := session.ListTools(ctx, nil)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, tool := range tools.Tools {
			names = append(names, tool.Name)
		}
		return map[string]any{"tools": names}, nil
	}
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: o.Tool})
	if err != nil {
		return nil, err
	}
	return map[string]any{"text": result.Content[0].(*mcp.TextContent).Text}, nil
}

func main() {
	handlers := make(map[string]*auth.AuthorizationCodeHandler) // one for each server
	for {
		o := read()
		if handlers[o.URL] == nil {
			handler, err := newHandler()
			if err != nil {
				panic(err)
			}
			handlers[o.URL] = handler
		}
		answer, err := run(context.Background(), handlers[o.URL], o)
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		_ = out.Encode(answer)
	}
}
