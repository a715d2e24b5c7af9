// Package webhook posts events to a URL: the events handler `oauth_webhook`.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

func init() {
	caddy.RegisterModule(Webhook{})
}

// Webhook posts events to a URL to notify an operator, especially of
// `oauth.refresh_reuse_detected`. The body is the event as JSON, a CloudEvent in structured
// mode. Alarms are sent first and retried for a quarter of an hour; everything else is tried
// three times.
type Webhook struct {
	// Where to post: an https URL, or http on localhost; or `{env.NAME}` or `{file.PATH}` with
	// one, because such URLs are often secret. Default: none, it is required.
	URL string `json:"url,omitempty"`

	// The Authorization header of the request, such as `{env.NAME}` or `{file.PATH}` with
	// `Bearer …` in it. Default: none.
	Authorization string `json:"authorization,omitempty"`

	// How long one attempt can take. Default: 5s
	Timeout caddy.Duration `json:"timeout,omitempty"`

	target, authorization string // resolved
	client                *http.Client
	outbox                *outbox
}

const defaultWebhookTimeout = 5 * time.Second

// CaddyModule returns the Caddy module information.
func (Webhook) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "events.handlers.oauth_webhook",
		New: func() caddy.Module { return new(Webhook) },
	}
}

// Check finds what the text of the configuration shows to be wrong.
func (h *Webhook) Check() error {
	if h.URL == "" {
		return grammar.Wrong("", "it is missing: write where to post, such as `oauth_webhook {env.ALERT_URL}`")
	}
	if !grammar.IsPlaceholder(h.URL) {
		if err := checkWebhookURL(h.URL); err != nil {
			return err
		}
	}
	if grammar.HasPlaceholder(h.Authorization) {
		return grammar.Wrong("authorization", "it holds a placeholder among other text: write {env.NAME} or {file.PATH} alone, with all of the header's value in it")
	}
	if h.Timeout < 0 {
		return grammar.Wrong("timeout", "%s is less than no time: leave it out for %s", grammar.ShowDuration(time.Duration(h.Timeout)), grammar.ShowDuration(defaultWebhookTimeout))
	}
	return nil
}

// checkWebhookURL does not repeat the URL, which may be a secret.
func checkWebhookURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !oauth.IsLoopbackHost(u.Hostname())) {
		return grammar.Wrong("", "it is no https URL: write one, or {env.NAME} or {file.PATH} with one; http is good for localhost only")
	}
	return nil
}

// Provision reads the values that stand outside of the configuration.
func (h *Webhook) Provision(ctx caddy.Context) error {
	err := h.Check()
	if err == nil {
		h.target, err = grammar.Resolve(h.URL)
	}
	if err == nil {
		err = checkWebhookURL(h.target)
	}
	if err == nil {
		h.authorization, err = grammar.Resolve(h.Authorization)
	}
	if err != nil {
		return fmt.Errorf("oauth_webhook: %w", err)
	}
	timeout := time.Duration(h.Timeout)
	if timeout == 0 {
		timeout = defaultWebhookTimeout
	}
	h.client = &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	log := ctx.Logger()
	h.outbox = newOutbox(h.post, log, func(err error) { events.Process.Recovered(log, oauth.OutcomeEvents, err) }, events.Process.EventDropped)
	return nil
}

// Handle takes an event to post. What fails is logged and counted, without the URL.
func (h *Webhook) Handle(_ context.Context, e caddy.Event) error {
	body, err := json.Marshal(e.CloudEvent())
	if err != nil {
		return fmt.Errorf("writing event: %w", err)
	}
	kind, ours := strings.CutPrefix(e.Name(), "oauth.")
	h.outbox.send(e.Name(), body, ours && events.IsAlarm(oauth.EventKind(kind)))
	return nil
}

// Cleanup gives up what is not posted yet; alarms are tried for half a minute more.
func (h *Webhook) Cleanup() error {
	if h.outbox != nil {
		h.outbox.close()
	}
	return nil
}

func (h *Webhook) post(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.target, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL is malformed")
	}
	r.Header.Set("Content-Type", "application/cloudevents+json")
	if h.authorization != "" {
		r.Header.Set("Authorization", h.authorization)
	}
	resp, err := h.client.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err // without the URL
	}
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("it was answered with status %d", resp.StatusCode)
	}
	return nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	events {
//	    on oauth.refresh_reuse_detected oauth_webhook <url> {
//	        authorization <value>
//	        timeout       <duration>
//	    }
//	}
func (h *Webhook) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := grammar.NewReader(d, webhookBlock)
	var err error
	if h.URL, err = g.Word(); err != nil {
		return err
	}
	if err := g.ReadBlock(webhookBlock, grammar.Options{
		"authorization": grammar.String(&h.Authorization),
		"timeout":       grammar.Duration(&h.Timeout),
	}); err != nil {
		return err
	}
	return g.Located(grammar.Within(webhookBlock, h.Check()))
}

// webhookBlock names the block in errors.
const webhookBlock = "oauth_webhook"

// Interface guards
var (
	_ caddy.Provisioner     = (*Webhook)(nil)
	_ caddy.CleanerUpper    = (*Webhook)(nil)
	_ caddyevents.Handler   = (*Webhook)(nil)
	_ caddyfile.Unmarshaler = (*Webhook)(nil)
)
