package caddymodule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// names are the issuers that the block stands for: one for each of its tenants.
func (i *BearerIssuer) names() []string {
	if len(i.Tenants) == 0 {
		return []string{i.Issuer}
	}
	names := make([]string, len(i.Tenants))
	for n, tenant := range i.Tenants {
		names[n] = strings.ReplaceAll(i.Issuer, tenantTemplate, tenant)
	}
	return names
}

// resolve reads the keys from where they are kept, and warns of a secret that is written out.
func (i *BearerIssuer) resolve(log *zap.Logger) error {
	if h := i.JWKSHeader; h != nil && !anyPlaceholder.MatchString(h.Value) {
		log.Warn("the value of a jwks_header is written out in the configuration and in what it is adapted to: use {env.NAME} or {file.PATH}",
			zap.String("issuer", i.Issuer))
	}
	if i.PublicKey == "" {
		return nil
	}
	text, err := grammar.Resolve(i.PublicKey)
	if err == nil {
		err = i.checkKey(text)
	}
	if err != nil {
		return fmt.Errorf("%s: public_key: %w", i.block(), err)
	}
	i.document = text
	return nil
}

// checkKey reads keys that are written out.
func (i *BearerIssuer) checkKey(text string) error {
	_, rsa := i.algorithms()
	if _, err := jose.ParsePublicKeys(text, rsa); err != nil {
		return fmt.Errorf("it %w (%w)", errNotKey, err)
	}
	return nil
}

// source says where the keys are.
func (i *BearerIssuer) source() fetch.KeySource {
	source := fetch.KeySource{Issuer: i.Issuer, JWKSURI: i.JWKSURI, File: i.JWKSFile, Document: i.document, AllowPrivate: i.AllowPrivate, CA: i.CA}
	if i.JWKSHeader != nil {
		source.HeaderName, source.HeaderValue = i.JWKSHeader.Name, i.JWKSHeader.Value
	}
	return source
}

// algorithms are the configured ones, and the one of RSA keys that name none.
func (i *BearerIssuer) algorithms() (all []jose.Algorithm, rsa jose.Algorithm) {
	rsa = jose.RS256
	for _, name := range i.Algorithms {
		all = append(all, jose.Algorithm(name))
	}
	if at := slices.IndexFunc(all, jose.Algorithm.RSA); at >= 0 {
		rsa = all[at]
	}
	return all, rsa
}

func (i *BearerIssuer) leeway() time.Duration {
	if i.Leeway == nil {
		return oauth.DefaultLeeway
	}
	return time.Duration(*i.Leeway)
}

// core returns one of the issuers as the core has it, over its keys.
func (i *BearerIssuer) core(name string, keys *jwks.Remote) *verify.Foreign {
	algorithms, _ := i.algorithms()
	return verify.NewForeign(verify.ForeignConfig{
		Issuer:          name,
		Keys:            keys,
		Algorithms:      algorithms,
		AcceptJWT:       i.Type == "JWT",
		AcceptIDTokens:  i.AllowIDTokens,
		AudienceClaims:  i.AudienceClaims,
		ScopeClaims:     i.ScopeClaims,
		SubjectClaims:   i.SubjectClaims,
		Claims:          i.Claims,
		MaxTokenAge:     time.Duration(i.MaxTokenAge),
		MaxTokenBytes:   cmp.Or(int(i.MaxTokenSize), oauth.MaxTokenBytes),
		MaxTokenMembers: i.MaxTokenMembers,
		Leeway:          i.leeway(),
		SharesKeys:      len(i.Tenants) > 0,
	})
}
