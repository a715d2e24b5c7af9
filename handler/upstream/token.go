package upstream

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// assertionLifetime is how long a client assertion is good.
const assertionLifetime = time.Minute

// assertionType is that of RFC 7523 §2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// refusal is an answer of the token endpoint that is no token.
type refusal struct {
	status   int
	code     string // error of RFC 6749 §5.2; "" where the answer is not of OAuth
	text     string // error_description, cleaned
	suberror string // of Entra
	numbers  []int  // of Entra: AADSTS…
	after    time.Duration
}

// Error quotes nothing but the code and the description.
func (r *refusal) Error() string {
	if r.code == "" {
		return fmt.Sprintf("asking the token endpoint: the answer is %d without an error of OAuth", r.status)
	}
	text := fmt.Sprintf("asking the token endpoint: the answer is %d %q", r.status, r.code)
	if r.text != "" {
		text += ": " + r.text
	}
	return text
}

// ofClient reports whether the client's secret is refused: the second word is GitHub's.
func (r *refusal) ofClient() bool {
	return r.code == "invalid_client" || r.code == "incorrect_client_credentials"
}

// askToken asks the token endpoint for tokens, once for each secret that is refused as such: the code
// or refresh token is not spent by that. Errors: a *refusal, a *login.FailedError, or what became of the request.
func (o *OIDC) askToken(ctx context.Context, d *metadata, params url.Values) (*oauth2.Token, error) {
	method := o.cfg.clientAuth(d)
	secrets, err := o.cfg.secretsFor(method)
	if err != nil {
		return nil, failed(login.FailedBroken, reasonSettings, err)
	}
	// A grant of any type is sent as clientcredentials sends its own: that type alone lets
	// each parameter be set, and never tries one authentication after the other (F23).
	conf := clientcredentials.Config{ClientID: o.cfg.ClientID, TokenURL: d.Token, EndpointParams: params, AuthStyle: oauth2.AuthStyleInParams}
	switch method {
	case AuthBasic:
		conf.AuthStyle = oauth2.AuthStyleInHeader
	case AuthPrivateKeyJWT:
		assertion, err := o.cfg.assertion(d)
		if err != nil {
			return nil, failed(login.FailedBroken, reasonSettings, err)
		}
		params.Set("client_assertion_type", assertionType)
		params.Set("client_assertion", assertion)
	case AuthPost, AuthNone:
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, o.client)
	var refused error
	for _, secret := range secrets {
		conf.ClientSecret = secret
		token, err := conf.Token(ctx)
		if err == nil {
			o.health.clientTaken(ctx)
			return token, nil
		}
		refused = readRefusal(err, append(secretsOf(params), secrets...))
		if r, ok := errors.AsType[*refusal](refused); !ok || !r.ofClient() {
			return nil, refused
		}
	}
	return nil, refused
}

// clientAuth is how this gateway authenticates: as configured, else as the provider
// announces, and Basic where that leaves a choice (OpenID Connect Discovery §3).
func (c *Config) clientAuth(d *metadata) ClientAuth {
	switch {
	case c.ClientAuth != "":
		return c.ClientAuth
	case c.ClientKey != nil:
		return AuthPrivateKeyJWT
	case c.ClientSecrets == nil:
		return AuthNone
	case len(d.ClientAuths) > 0 && !slices.Contains(d.ClientAuths, string(AuthBasic)) && slices.Contains(d.ClientAuths, string(AuthPost)):
		return AuthPost
	}
	return AuthBasic
}

// secretsFor returns the secrets to try; one that is empty where the method has none.
func (c *Config) secretsFor(method ClientAuth) ([]string, error) {
	if method != AuthBasic && method != AuthPost {
		return []string{""}, nil
	}
	return c.secrets()
}

// secrets returns the client's secrets, of which there is one at least.
func (c *Config) secrets() ([]string, error) {
	secrets, err := c.ClientSecrets()
	if err != nil {
		return nil, fmt.Errorf("reading client_secret: %w", err)
	}
	if secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == "" }); len(secrets) == 0 {
		return nil, errors.New("reading client_secret: it is empty")
	}
	return secrets, nil
}

// assertion makes a client assertion for one request (RFC 7523 §3). Its audience is the issuer.
func (c *Config) assertion(d *metadata) (string, error) {
	now := c.Clock()
	claims, err := json.Marshal(map[string]any{
		"iss": c.ClientID, "sub": c.ClientID, "aud": d.Issuer, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(assertionLifetime).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("making client assertion: %w", err)
	}
	return jose.Sign(c.ClientKey, "JWT", claims)
}

// secretsOf are the parameters that must not be quoted.
func secretsOf(params url.Values) (list []string) {
	for _, name := range []string{"code", "code_verifier", "refresh_token", "client_assertion"} {
		list = append(list, params[name]...)
	}
	return list
}

// readRefusal reads an error of x/oauth2, whose own text quotes what came (F19).
func readRefusal(err error, secrets []string) error {
	retrieve, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		if u, ok := errors.AsType[*url.Error](err); ok {
			return fmt.Errorf("asking the token endpoint: %w", u.Err)
		}
		return errors.New("asking the token endpoint: the answer is no token of OAuth")
	}
	r := &refusal{status: retrieve.Response.StatusCode, after: retryAfter(retrieve.Response.Header)}
	kind, _, _ := mime.ParseMediaType(retrieve.Response.Header.Get("Content-Type"))
	if kind != "application/json" && !strings.HasSuffix(kind, "+json") { // a proxy's page (F41)
		return r
	}
	r.code, r.text = providerText(retrieve.ErrorCode), providerText(retrieve.ErrorDescription, secrets...)
	var entra struct {
		Suberror string `json:"suberror"`
		Numbers  []int  `json:"error_codes"`
	}
	if json.Unmarshal(retrieve.Body, &entra) == nil {
		r.suberror, r.numbers = entra.Suberror, entra.Numbers
	}
	return r
}

// longestRetry bounds what a provider may ask for.
const longestRetry = time.Hour

// retryAfter reads how long to wait (RFC 9110 §10.2.3); zero where it does not say in seconds.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestRetry)
}
