package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
)

// makeSecret tells an operator how to come by a secret.
const makeSecret = "make one with `openssl rand -base64 48` or `caddy oauth secret`"

// checkSecrets finds what the text alone shows about the gateway's secrets.
func checkSecrets(values []string) error {
	for i, secret := range values {
		switch {
		case secret == "":
			return grammar.Wrong("secret", "number %d is empty: %s", i+1, makeSecret)
		case strings.HasPrefix(secret, "{") && strings.HasSuffix(secret, "}") && !grammar.IsPlaceholder(secret):
			return grammar.Wrong("secret", "number %d looks like a placeholder but is none of {env.NAME} and {file.PATH}: it would itself be the secret", i+1)
		case grammar.HasPlaceholder(secret):
			return grammar.Wrong("secret", "number %d holds a placeholder among other text: write {env.NAME} or {file.PATH} alone", i+1)
		case !grammar.IsPlaceholder(secret) && len(secret) < secrets.SecretSize:
			return grammar.Wrong("secret", "number %d has %d bytes and needs at least %d: %s", i+1, len(secret), secrets.SecretSize, makeSecret)
		case slices.Contains(values[:i], secret):
			return grammar.Wrong("secret", "number %d is a duplicate: name each secret once, the one that mints first", i+1)
		}
	}
	return nil
}

// resolveSecrets reads the gateway's secrets from where they are kept.
func resolveSecrets(log *zap.Logger, values []string) ([]string, error) {
	resolved := make([]string, len(values))
	for i, secret := range values {
		if !grammar.IsPlaceholder(secret) {
			log.Warn("a secret is written out in the configuration and in what it is adapted to: use {env.NAME} or {file.PATH}",
				zap.Int("number", i+1))
		}
		value, err := grammar.Resolve(secret)
		if err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		if len(value) < secrets.SecretSize {
			return nil, fmt.Errorf("secret: %s has %d bytes and needs at least %d: %s", secret, len(value), secrets.SecretSize, makeSecret)
		}
		resolved[i] = value
	}
	return resolved, nil
}
