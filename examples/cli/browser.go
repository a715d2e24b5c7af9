package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// loginTime is how long a person may take.
const loginTime = 5 * time.Minute

// loginByBrowser sends the person's browser to the gateway and waits for the
// answer at a port of this machine. See RFC 8252 §7.3.
func (p *program) loginByBrowser(ctx context.Context, c *client) (token *oauth2.Token, nonce string, err error) {
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("listening for the answer: %w", err)
	}
	c.RedirectURL = "http://" + listener.Addr().String() + "/callback"

	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	nonce = rand.Text()
	answers := make(chan url.Values, 1)
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/callback" || r.FormValue("state") != state {
			http.NotFound(w, r) // not the answer to this login
			return
		}
		fmt.Fprintln(w, "This is all. You can close this window and go back to the terminal.")
		select {
		case answers <- r.Form:
		default: // the browser has sent it twice
		}
	})}
	go func() { _ = server.Serve(listener) }()
	defer func() {
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(soon) // so that the browser gets its page
	}()

	address := c.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("audience", p.api))
	fmt.Fprintf(p.say, "Sign in with your browser:\n\n  %s\n\n", address)
	if !p.noBrowser {
		_ = openBrowser(ctx, address) // the address is on the screen anyway
	}
	select {
	case answer := <-answers:
		token, err = c.redeem(ctx, answer, verifier, p.api)
		return token, nonce, err
	case <-ctx.Done():
		return nil, "", errors.New("waiting for the browser: nobody has signed in")
	}
}

// redeem checks the answer, exchanges its code and returns the tokens.
func (c *client) redeem(ctx context.Context, answer url.Values, verifier, api string) (*oauth2.Token, error) {
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	if err := c.provider.Claims(&metadata); err != nil {
		return nil, err
	}
	if answer.Get("iss") != metadata.Issuer { // RFC 9207 §2.4
		return nil, errors.New("reading the answer: it comes from another server")
	}
	if code := answer.Get("error"); code != "" {
		return nil, fmt.Errorf("signing in: %s %s", code, answer.Get("error_description"))
	}
	token, err := c.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier), oauth2.SetAuthURLParam("audience", api))
	if err != nil {
		return nil, fmt.Errorf("exchanging the code: %w", err)
	}
	return token, nil
}

// openBrowser opens an address as the system does.
func openBrowser(ctx context.Context, address string) error {
	switch runtime.GOOS {
	case "windows":
		return exec.CommandContext(ctx, "rundll32", "url.dll,FileProtocolHandler", address).Start()
	case "darwin":
		return exec.CommandContext(ctx, "open", address).Start()
	}
	return exec.CommandContext(ctx, "xdg-open", address).Start()
}
