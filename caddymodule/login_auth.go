package caddymodule

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/upstream"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// ProviderAuth is how this gateway authenticates to an OpenID provider.
type ProviderAuth struct {
	// The method: `basic` or `post` with the secret, `private_key_jwt` with the key, or `none`.
	// Default: what the provider announces, `basic` if it supports both; `private_key_jwt` with
	// a key
	ClientAuth string `json:"client_auth,omitempty"`

	// A PEM file with the private key (PKCS #8) to sign with instead of using a secret. An RSA
	// key signs with RS256, other keys with the algorithm of their curve. Default: none.
	ClientKey string `json:"client_key,omitempty"`

	// The ID of that key at the provider. Default: its thumbprint (RFC 7638)
	ClientKeyID string `json:"client_key_id,omitempty"`

	// The Apple team that `client_key` belongs to. The key then signs the secrets that Apple
	// requires, each when it is needed and for five minutes. Default: none.
	ClientTeam string `json:"client_team,omitempty"`

	key *jose.PrivateKey
}

// clientAuths are the words of ProviderAuth.ClientAuth.
var clientAuths = map[string]upstream.ClientAuth{
	"":                "",
	"basic":           upstream.AuthBasic,
	"post":            upstream.AuthPost,
	"private_key_jwt": upstream.AuthPrivateKeyJWT,
	"none":            upstream.AuthNone,
}

// authOptions are the words of this part.
func (a *ProviderAuth) authOptions() grammar.Options {
	return grammar.Options{
		"client_auth": grammar.String(&a.ClientAuth),
		"client_key":  grammar.Args("<path> [<key_id>]", a.setKey),
		"client_team": grammar.String(&a.ClientTeam),
	}
}

func (a *ProviderAuth) setKey(args []string) error {
	a.ClientKey = args[0]
	if len(args) > 1 {
		a.ClientKeyID = args[1]
	}
	return nil
}

// checkAuth checks that what is written goes together.
func (a *ProviderAuth) checkAuth(secrets int) error {
	return grammar.FirstOf(
		func() error { return a.checkKey(secrets) },
		func() error { return a.checkMethod(secrets) },
		func() error { return checkPath("client_key", a.ClientKey) },
	)
}

func (a *ProviderAuth) checkKey(secrets int) error {
	switch {
	case secrets > 0 && a.ClientKey != "":
		return grammar.Wrong("client_key", "there is a client_secret, too: keep the one that the provider knows")
	case a.ClientKeyID != "" && !oauth.ValidScope(a.ClientKeyID):
		return grammar.Wrong("client_key", "the key ID has a space, a quote or what is not ASCII: copy it anew")
	case a.ClientTeam != "" && (a.ClientKeyID == "" || !oauth.ValidScope(a.ClientTeam)):
		return grammar.Wrong("client_team", "Apple's secrets are signed by a key with an ID: write `client_key <path> <key_id>` beside the team's ID, all as Apple shows them")
	}
	return nil
}

func (a *ProviderAuth) checkMethod(secrets int) error {
	auth, known := clientAuths[a.ClientAuth]
	signs := a.ClientKey != "" && a.ClientTeam == ""
	switch {
	case !known:
		return grammar.WrongValue("client_auth", a.ClientAuth, "is not known: write basic, post, private_key_jwt or none")
	case auth == upstream.AuthNone && (secrets > 0 || a.ClientKey != ""):
		return grammar.Wrong("client_auth", "`none` uses neither a secret nor a key: leave them out, or write how they are used")
	case auth == upstream.AuthPrivateKeyJWT && !signs:
		return grammar.Wrong("client_auth", "it signs with a key: write `client_key <path>`")
	case signs && auth != "" && auth != upstream.AuthPrivateKeyJWT:
		return grammar.Wrong("client_auth", "`%s` uses a secret, and there is a client_key: leave it out, or write `client_secret`", a.ClientAuth)
	case auth != upstream.AuthNone && secrets == 0 && a.ClientKey == "":
		return grammar.Wrong("", "it needs `client_secret {env.NAME}`, or `client_key <path>`; a provider that gave neither takes `client_auth none`")
	}
	return nil
}

// readKey reads the key, if there is one.
func (a *ProviderAuth) readKey() error {
	if a.ClientKey == "" {
		return nil
	}
	text, err := os.ReadFile(a.ClientKey)
	if err != nil {
		return fmt.Errorf("client_key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return fmt.Errorf("client_key: %s holds no unencrypted PKCS #8 key: `openssl pkcs8 -topk8 -nocrypt -in KEY` writes one", a.ClientKey)
	}
	for _, alg := range []jose.Algorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256} {
		if a.key, err = jose.ParsePrivateKey(alg, block.Bytes); err == nil {
			break
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("client_key: %s holds a key that nothing can be signed with: take one of RSA with 2048 bits or more, P-256 or Ed25519", a.ClientKey)
	case a.ClientTeam != "" && a.key.Algorithm() != jose.ES256:
		return fmt.Errorf("client_key: %s is none of Apple's, which are of P-256: take the file AuthKey_%s.p8", a.ClientKey, a.ClientKeyID)
	case a.ClientKeyID != "":
		a.key = a.key.WithID(a.ClientKeyID)
	}
	return nil
}

// teamSecretLife is how long a secret is good that is signed for Apple, which allows six months.
const teamSecretLife = 5 * time.Minute

// teamSecret signs a secret for Apple: see its page "Creating a client secret".
func (a *ProviderAuth) teamSecret(clientID, issuer string, now time.Time) ([]string, error) {
	payload, err := json.Marshal(map[string]any{
		"iss": a.ClientTeam, "sub": clientID, "aud": issuer, "iat": now.Unix(), "exp": now.Add(teamSecretLife).Unix(),
	})
	if err != nil {
		return nil, err
	}
	secret, err := jose.Sign(a.key, "JWT", payload)
	if err != nil {
		return nil, errors.New("client_team: " + strings.TrimPrefix(err.Error(), "signing token: "))
	}
	return []string{secret}, nil
}

// authenticate sets in a configuration how this gateway authenticates.
func (a *ProviderAuth) authenticate(cfg *upstream.Config) {
	cfg.ClientAuth = clientAuths[a.ClientAuth]
	switch {
	case a.key == nil:
	case a.ClientTeam != "":
		clientID, issuer, clock := cfg.ClientID, cfg.Issuer, cfg.Clock
		cfg.ClientSecrets = func() ([]string, error) { return a.teamSecret(clientID, issuer, clock()) }
	default:
		cfg.ClientKey, cfg.ClientAuth = a.key, upstream.AuthPrivateKeyJWT
	}
}
