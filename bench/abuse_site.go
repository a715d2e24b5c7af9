package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/template"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

const (
	alicePassword = "correct horse battery staple"
	bobPassword   = "let me in, I live here, too"
	serverAddress = "192.0.2.10" // of the resource server
	serverSecret  = "the resource server's secret, of 41 signs"
)

// abuseSite is the configuration for benchAbuse. Alice's hash has bcrypt's usual
// cost of 10; bob's has the least, so that his own logins cost little beside what
// they make the gateway do. The bench says by X-Forwarded-For who comes from where.
var abuseSite = template.Must(template.New("abuse").Funcs(template.FuncMap{"hash": clients.HashSecret}).Parse(`{
	admin localhost:{{.AdminPort}}
	auto_https off
	persist_config off
	log {
		output file {{.Store}}.log
		level INFO
	}
	servers {
		trusted_proxies static 127.0.0.1/32 ::1/128
		trusted_proxies_strict
	}
	oauth {
		issuer {{.Issuer}}
		secret {{.Secret}}
		store {{if .Redis}}redis {
			address {{.Redis}}
		}{{else}}bolt {{.Store}}{{end}}
		login local {
			user alice $2a$10$UqJGUiAlU6DbixRa6WNpQe3VnYWD7jp0lSYGoAgSEOCri96xR5rhK
			user bob $2a$04$ghjkmG36MGWQzvXu5/iyAec/RPUnS699ptZ3waPY.JK6BanwljznO
		}
		{{with .Provider}}login oidc slow {{.}} {
			client_id bench
			client_secret bench-bench-bench
			insecure
			allow anyone
			recheck 1m
		}
		{{end}}		api {{.Audience}} {
			scopes read
			allow_offline_access
			access_token_lifetime 1h
		}
		client spa {
			type spa
			redirect_uris https://app.bench.example/cb
			logout_uris https://app.bench.example/
			apis {{.Audience}}
		}
		client machine {
			type machine
			apis {{.Audience}}
			secret_hash {{hash "` + serverSecret + `"}}
		}
	}
}

http://localhost:{{.AuthPort}} {
	oauth_server
}

http://localhost:{{.RoutePort}}, http://127.0.0.1:{{.RoutePort}} {
	handle /plain {
		respond "hello"
	}
	handle /guarded {
		bearer_auth {
			audience {{.Audience}}
			scope read
		}
		respond "hello"
	}
}
`))

// abuseSiteOf is a running server and its admin API.
type abuseSiteOf struct {
	*server
	admin string
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// harmless is as much traffic as an attack without any work.
func (s *abuseSiteOf) harmless() attack {
	return func(ctx context.Context, client *http.Client, _ int) (int, error) {
		status, _, _, err := send(ctx, client, http.MethodGet, s.base+"/plain", nil, "")
		return status, err
	}
}

// send sends a request, a form with POST, and reads the answer.
func send(ctx context.Context, client *http.Client, method, target string, form url.Values, from string, headers ...string) (int, http.Header, string, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return 0, nil, "", err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if from != "" {
		r.Header.Set("X-Forwarded-For", from)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(text), err
}

// refusal is an answer that was not the one wanted.
type refusal struct {
	status int
	what   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: status %d", r.what, r.status) }
