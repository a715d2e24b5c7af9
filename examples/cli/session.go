package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

var errNoSession = errors.New("you are not signed in: run `cli login`")

// loadSession reads the session.
func loadSession(file string) (*oauth2.Token, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoSession
	}
	if err != nil {
		return nil, fmt.Errorf("reading the session: %w", err)
	}
	var token oauth2.Token
	if err := json.Unmarshal(text, &token); err != nil {
		return nil, fmt.Errorf("reading the session: %w; remove %s and run `cli login`", err, file)
	}
	return &token, nil
}

// saveSession writes the session for its owner alone, whole or not at all.
func saveSession(file string, token *oauth2.Token) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("saving the session: %w", err)
	}
	text, err := json.Marshal(token) //nolint:gosec // it is what has to be kept
	if err != nil {
		return fmt.Errorf("saving the session: %w", err)
	}
	draft, err := os.CreateTemp(filepath.Dir(file), ".session-*") // 0600
	if err != nil {
		return fmt.Errorf("saving the session: %w", err)
	}
	defer os.Remove(draft.Name()) // in vain when all went well
	_, err = draft.Write(text)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err == nil {
		err = os.Rename(draft.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("saving the session: %w", err)
	}
	return nil
}

// token returns a good access token, and refreshes the session where it has
// none, or where the one it has is not good.
//
// Two runs at once may refresh with the same token. The gateway then gives both
// the same successor (its leeway), so that it doesn't matter who writes last,
// and no lock is needed. Who finds that the file has moved on leaves it alone.
func (p *program) token(ctx context.Context, bad bool) (*oauth2.Token, error) {
	was, err := loadSession(p.session)
	if err != nil || was.Valid() && !bad {
		return was, err
	}
	c, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	now, err := c.refresh(ctx, was.RefreshToken)
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.ErrorCode == "invalid_grant" {
		return nil, errors.Join(errors.New("the session has ended"), p.forget(was), errNoSession)
	}
	if err != nil { // a bad moment: the session is kept
		return nil, fmt.Errorf("refreshing the session: %w", err)
	}
	if there, err := loadSession(p.session); err != nil || there.RefreshToken != was.RefreshToken {
		return now, nil //nolint:nilerr // another run was faster, or has signed out
	}
	return now, saveSession(p.session, now)
}

// refresh asks for new tokens. Where the answer got lost it asks again at
// once: within its leeway the gateway gives the same answer again.
func (c *client) refresh(ctx context.Context, token string) (*oauth2.Token, error) {
	for try := 1; ; try++ {
		got, err := c.TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
		refused, ok := errors.AsType[*oauth2.RetrieveError](err)
		if err == nil || try == 3 || ctx.Err() != nil || ok && !later(refused.Response) {
			return got, err
		}
		select {
		case <-time.After(time.Duration(try) * time.Second):
		case <-ctx.Done():
		}
	}
}

// forget removes a session that is over, unless another run has begun a new one.
func (p *program) forget(over *oauth2.Token) error {
	there, err := loadSession(p.session)
	if err != nil || there.RefreshToken != over.RefreshToken {
		return nil //nolint:nilerr // it is not there any more
	}
	return os.Remove(p.session)
}

// logout ends the session at the gateway, which ends its access tokens too,
// and removes it here. See RFC 7009.
func (p *program) logout(ctx context.Context) error {
	token, err := loadSession(p.session)
	if err != nil {
		return err
	}
	c, err := p.discover(ctx)
	if err != nil {
		return err
	}
	var metadata struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := c.provider.Claims(&metadata); err != nil {
		return fmt.Errorf("reading the gateway's metadata: %w", err)
	}
	form := url.Values{"client_id": {c.ClientID}, "token": {token.RefreshToken}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, metadata.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("signing out: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK { // still signed in: say so, and keep the session to try again
		return fmt.Errorf("signing out: the gateway answered %s; try again", resp.Status)
	}
	if err := p.forget(token); err != nil {
		return fmt.Errorf("signing out: %w", err)
	}
	fmt.Fprintln(p.say, "Signed out.")
	return nil
}
