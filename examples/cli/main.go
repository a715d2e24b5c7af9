// Command cli is an example of an installed program: it signs a person in with
// their browser, or with the browser of another device, calls the guarded API
// and stays signed in. It works against `make run`:
//
//	go run ./examples/cli login             # opens the browser
//	go run ./examples/cli login --device    # shows a code to type elsewhere
//	go run ./examples/cli orders            # calls the API
//	go run ./examples/cli logout
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// program is one run.
type program struct {
	issuer, api, clientID string
	session               string // the file
	device, noBrowser     bool
	out, say              io.Writer // what was asked for, and what is said beside it
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	http.DefaultClient.Timeout = 30 * time.Second // x/oauth2 and go-oidc use it, too
	p := &program{out: os.Stdout, say: os.Stderr}
	if err := p.run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "cli:", err)
		os.Exit(1)
	}
}

// run reads the command line and does what it says.
func (p *program) run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("cli", flag.ContinueOnError)
	flags.StringVar(&p.issuer, "issuer", "http://localhost:8080/", "the gateway, as its `issuer` says")
	flags.StringVar(&p.api, "api", "http://localhost:8082/", "the guarded API")
	flags.StringVar(&p.clientID, "client", "demo-cli", "the client_id")
	flags.StringVar(&p.session, "session", "", "the file that keeps the session (default: in the user's configuration directory)")
	flags.BoolVar(&p.device, "device", false, "login: show a code instead of opening a browser")
	flags.BoolVar(&p.noBrowser, "no-browser", false, "login: print the address instead of opening it")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: cli login [--device] | orders | logout")
		flags.PrintDefaults()
	}
	command := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if p.session == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return fmt.Errorf("finding a place for the session: %w; give one with --session", err)
		}
		p.session = filepath.Join(dir, "gatehouse-demo", "session.json")
	}
	commands := map[string]func(context.Context) error{"login": p.login, "orders": p.orders, "logout": p.logout}
	do, ok := commands[command]
	if !ok || flags.NArg() > 0 {
		flags.Usage()
		return errors.New("say what to do: login, orders or logout")
	}
	return do(ctx)
}

// client is the program as the gateway knows it.
type client struct {
	*oauth2.Config

	provider *oidc.Provider
}

// discover reads the gateway's metadata.
func (p *program) discover(ctx context.Context) (*client, error) {
	provider, err := oidc.NewProvider(ctx, p.issuer)
	if err != nil {
		return nil, fmt.Errorf("reading the gateway's metadata: %w", err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams // it has no secret
	return &client{provider: provider, Config: &oauth2.Config{
		ClientID: p.clientID, Endpoint: endpoint,
		Scopes: []string{oidc.ScopeOpenID, "profile", oidc.ScopeOfflineAccess, "orders:read"},
	}}, nil
}

// login signs in, in one of the two ways, and keeps the session.
func (p *program) login(ctx context.Context) error {
	c, err := p.discover(ctx)
	if err != nil {
		return err
	}
	way := p.loginByBrowser
	if p.device {
		way = p.loginByDevice
	}
	token, nonce, err := way(ctx, c)
	if err != nil {
		return err
	}
	name, err := c.person(ctx, token, nonce)
	if err != nil {
		return err
	}
	if err := saveSession(p.session, token); err != nil {
		return err
	}
	fmt.Fprintf(p.say, "Signed in as %s.\n", name)
	return nil
}

// person verifies the ID token and returns what to call whom it is about.
func (c *client) person(ctx context.Context, token *oauth2.Token, nonce string) (string, error) {
	raw, _ := token.Extra("id_token").(string)
	id, err := c.provider.Verifier(&oidc.Config{ClientID: c.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("verifying ID token: %w", err)
	}
	if id.Nonce != nonce {
		return "", errors.New("verifying ID token: it belongs to another login")
	}
	claims := struct {
		Name string `json:"name"`
	}{Name: id.Subject}
	if err := id.Claims(&claims); err != nil {
		return "", fmt.Errorf("reading ID token: %w", err)
	}
	return claims.Name, nil
}

// orders calls the API. An access token that was ended early is replaced once.
func (p *program) orders(ctx context.Context) error {
	for again := false; ; again = true {
		token, err := p.token(ctx, again)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.api+"orders", nil)
		if err != nil {
			return err
		}
		token.SetAuthHeader(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("calling the API: %w", err)
		}
		defer resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusUnauthorized && !again:
			continue
		case resp.StatusCode != http.StatusOK:
			return fmt.Errorf("calling the API: it answered %s", resp.Status)
		}
		_, err = io.Copy(p.out, resp.Body)
		return err
	}
}
