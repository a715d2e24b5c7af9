package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// checkSecrets checks that exactly the clients that can keep a secret have one, or a key.
func (c *Client) checkSecrets() error {
	switch {
	case c.confidential() && len(c.SecretHashes) == 0 && !c.hasKeys() && !c.authenticatesByTLS():
		return grammar.Wrong("", "`type %s` needs a secret_hash: `caddy oauth secret` makes a secret with its hash; or a public_key", c.Type)
	case !c.confidential() && len(c.SecretHashes) > 0:
		return grammar.Wrong("secret_hash", "`type %s` runs where everybody can read its secret: leave it out, or write `type web`", c.Type)
	}
	for i, hash := range c.SecretHashes {
		err := checkHashText(hash, checkSecretHash)
		if err == nil && slices.Contains(c.SecretHashes[:i], hash) {
			err = errors.New("is a duplicate: leave one out")
		}
		if err != nil {
			return grammar.WrongNumber("secret_hash", i+1, hash, err)
		}
	}
	return nil
}

// maxPublicKeys is how many keys one client may have written down: each may be
// tried for one request.
const maxPublicKeys = 10

// checkKeys checks what a client signs its assertions with.
func (c *Client) checkKeys() error {
	unfit := []struct {
		option string
		given  bool
	}{
		{"public_key", len(c.PublicKeys) > 0},
		{"jwks_uri", c.JWKSURI != ""},
	}
	for _, u := range unfit {
		if u.given && !c.confidential() {
			return grammar.Wrong(u.option, "`type %s` runs where everybody can read its private key: leave it out, or write `type web`", c.Type)
		}
	}
	switch {
	case !c.hasKeys() && c.AssertionAlgorithm != "":
		return grammar.Wrong("assertion_algorithm", "it is about the public_key or jwks_uri of a client, and this one has neither: leave it out, or add one")
	case !c.hasKeys() && c.AssertionAudienceIssuer:
		return grammar.Wrong("assertion_audience", "it is about the public_key or jwks_uri of a client, and this one has neither: leave it out, or add one")
	case c.JWKSURI == "" && c.JWKSAllowPrivate:
		return grammar.Wrong("jwks_allow_private", "there is no jwks_uri: leave it out, or add one")
	case len(c.PublicKeys) > maxPublicKeys:
		return grammar.Wrong("public_key", "there are more than %d: leave out those that are not used any more", maxPublicKeys)
	}
	if err := checkAlgorithm("assertion_algorithm", c.AssertionAlgorithm); err != nil {
		return err
	}
	if err := c.checkJWKSURI(); err != nil {
		return err
	}
	for i, key := range c.PublicKeys {
		if grammar.IsPlaceholder(key) {
			continue
		}
		if _, err := c.parseKeys(key); err != nil {
			return grammar.WrongNumber("public_key", i+1, key, err)
		}
	}
	return nil
}

func (c *Client) checkJWKSURI() error {
	if c.JWKSURI == "" {
		return nil
	}
	u, err := parseURL(c.JWKSURI)
	if err == nil {
		err = checkWeb(u)
	}
	if err != nil {
		return grammar.WrongValue("jwks_uri", c.JWKSURI, "%s", err)
	}
	if strings.HasPrefix(c.JWKSURI, "http:") && !c.JWKSAllowPrivate {
		return grammar.Wrong("jwks_uri", "%s is on this machine: add `jwks_allow_private`", c.JWKSURI)
	}
	return nil
}

// errNotKey never shows the value: it may be somebody's private key.
var errNotKey = errors.New("is not a public key: write {file.PATH} of a PEM file, as `openssl pkey -in KEY -pubout` makes it, or of a JWK or JWK set")

// parseKeys reads public keys that are written down, all for assertion_algorithm where there is one.
func (c *Client) parseKeys(text string) ([]*jose.PublicKey, error) {
	if text == "" {
		return nil, errors.New("is empty: write a PEM block or a JWK")
	}
	rsa := jose.RS256
	if alg := jose.Algorithm(c.AssertionAlgorithm); alg.RSA() {
		rsa = alg
	}
	keys, err := jose.ParsePublicKeys(text, rsa)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errNotKey, err)
	}
	for _, key := range keys {
		if c.AssertionAlgorithm != "" && string(key.Algorithm()) != c.AssertionAlgorithm {
			return nil, fmt.Errorf("is a key for %s, and assertion_algorithm is %s: make them agree", key.Algorithm(), c.AssertionAlgorithm)
		}
	}
	return keys, nil
}

// resolve reads the hashes and keys from where they are kept.
func (c *Client) resolve() error {
	c.hashes = make([]string, len(c.SecretHashes))
	for i, hash := range c.SecretHashes {
		resolved, err := resolveHash(hash, checkSecretHash)
		if err != nil {
			return fmt.Errorf("%s: secret_hash: %w", c.block(), err)
		}
		c.hashes[i] = resolved
	}
	c.keys = clients.Keys{Algorithm: jose.Algorithm(c.AssertionAlgorithm), IssuerAudience: c.AssertionAudienceIssuer}
	for _, key := range c.PublicKeys {
		text, err := grammar.Resolve(key)
		if err != nil {
			return fmt.Errorf("%s: public_key: %w", c.block(), err)
		}
		keys, err := c.parseKeys(text)
		if err != nil {
			return fmt.Errorf("%s: public_key: %s %w", c.block(), key, err)
		}
		c.keys.Fixed = append(c.keys.Fixed, keys...)
	}
	return nil
}
