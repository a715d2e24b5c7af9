// Command mcp-go is a client with mcp-go, as its example of a client with OAuth is.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/url"
	"os"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
)

const redirectURI = "http://localhost:8085/callback"

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

// authorize signs the person in where the server asks for that, and returns whether it did. The client's id is kept.
func authorize(ctx context.Context, config *client.OAuthConfig, failure error) (bool, error) {
	if !client.IsOAuthAuthorizationRequiredError(failure) {
		return false, nil
	}
	handler := client.GetOAuthHandler(failure)
	verifier, err := client.GenerateCodeVerifier()
	if err != nil {
		return false, err
	}
	state, err := client.GenerateState()
	if err != nil {
		return false, err
	}
	if handler.GetClientID() == "" {
		if err := handler.RegisterClient(ctx, "mcp-go"); err != nil {
			return false, err
		}
		config.ClientID = handler.GetClientID()
	}
	at, err := handler.GetAuthorizationURL(ctx, state, client.GenerateCodeChallenge(verifier))
	if err != nil {
		return false, err
	}
	_ = out.Encode(map[string]string{"open": at})
	back, err := url.Parse(read().Back)
	if err != nil {
		return false, err
	}
	return true, handler.ProcessAuthorizationResponse(ctx, back.Query().Get("code"), back.Query().Get("state"), verifier)
}

func call(ctx context.Context, c *client.Client, o order) (map[string]any, error) {
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	hello.Params.ClientInfo = mcp.Implementation{Name: "mcp-go", Version: "1.0.0"}
	if _, err := c.Initialize(ctx, hello); err != nil {
		return nil, err
	}
	if o.Tool == "" {
		tools, err := c.ListTools(ctx, mcp.ListToolsRequest{})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, tool := range tools.Tools {
			names = append(names, tool.Name)
		}
		return map[string]any{"tools": names}, nil
	}
	var request mcp.CallToolRequest
	request.Params.Name = o.Tool
	result, err := c.CallTool(ctx, request)
	if err != nil {
		return nil, err
	}
	return map[string]any{"text": result.Content[0].(mcp.TextContent).Text}, nil
}

func run(ctx context.Context, config *client.OAuthConfig, o order) (map[string]any, error) {
	for {
		c, err := client.NewOAuthStreamableHttpClient(o.URL, *config)
		if err != nil {
			return nil, err
		}
		answer, err := call(ctx, c, o)
		_ = c.Close()
		if err == nil {
			return answer, nil
		}
		again, wrong := authorize(ctx, config, err)
		if wrong != nil {
			return nil, wrong
		}
		if !again {
			return nil, err
		}
	}
}

func main() {
	configs := make(map[string]*client.OAuthConfig) // one for each server
	for {
		o := read()
		if configs[o.URL] == nil {
			configs[o.URL] = &client.OAuthConfig{ClientID: os.Getenv("CLIENT_ID"), RedirectURI: redirectURI, TokenStore: client.NewMemoryTokenStore(), PKCEEnabled: true}
		}
		answer, err := run(context.Background(), configs[o.URL], o)
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		_ = out.Encode(answer)
	}
}
