package caddymodule

import "github.com/caddyserver/caddy/v2"

func (l *Denylist) options() options {
	return options{
		"cache_entries":    countOption(&l.CacheEntries),
		"max_lag":          durationOption(&l.MaxLag),
		"on_store_failure": {read: l.readOnStoreFailure},
	}
}

func (l *Denylist) readOnStoreFailure(g *grammar) error {
	if !g.NextArg() {
		return g.missing()
	}
	switch g.Val() {
	case "deny":
		return g.end()
	case "allow_stale":
		g.name = "on_store_failure allow_stale"
		d, err := g.duration()
		l.AllowStale = caddy.Duration(d)
		return err
	}
	return g.Errf("%s%s: %q is not known: write deny, or allow_stale with a duration", g.prefix(), g.name, g.Val())
}

func (s *Signing) options() options {
	return options{
		"access_token_algorithm": stringOption(&s.AccessTokenAlgorithm),
		"id_token_algorithm":     stringOption(&s.IDTokenAlgorithm),
		"id_token_lifetime":      durationOption(&s.IDTokenLifetime),
		"rotate_every":           durationOption(&s.RotateEvery),
	}
}

func (s *Session) options() options {
	return options{
		"lifetime":      durationOption(&s.Lifetime),
		"idle_lifetime": durationOption(&s.IdleLifetime),
	}
}

func (t *Theme) options() options {
	return options{
		"name": stringOption(&t.Name),
		"logo": stringOption(&t.Logo),
		"color": {read: func(g *grammar) (err error) {
			if g.CountRemainingArgs() == 0 {
				return g.Errf("%s%s has no value: write it in quotes, as in `color \"#1a56db\"`: a # outside of quotes begins a comment", g.prefix(), g.name)
			}
			t.Color, err = g.word()
			return err
		}},
	}
}

func (a *API) options() options {
	return options{
		"scopes":                listOption(&a.Scopes),
		"default":               flagOption(&a.Default),
		"allow_offline_access":  flagOption(&a.AllowOfflineAccess),
		"access_token_lifetime": durationOption(&a.AccessTokenLifetime),
	}
}

func (c *Client) options() options {
	return options{
		"type":                stringOption(&c.Type),
		"name":                stringOption(&c.Name),
		"redirect_uris":       listOption(&c.RedirectURIs),
		"logout_uris":         listOption(&c.LogoutURIs),
		"device_code":         flagOption(&c.DeviceCode),
		"origins":             listOption(&c.Origins),
		"apis":                listOption(&c.APIs),
		"scopes":              listOption(&c.Scopes),
		"secret_hash":         listOption(&c.SecretHashes),
		"public_key":          listOption(&c.PublicKeys),
		"jwks_uri":            stringOption(&c.JWKSURI),
		"jwks_allow_private":  flagOption(&c.JWKSAllowPrivate),
		"assertion_algorithm": stringOption(&c.AssertionAlgorithm),
		"consent":             stringOption(&c.Consent),
		"pkce":                switchOption(&c.PKCE),
		"oidc_conformant":     switchOption(&c.OIDCConformant),
		"id_token_algorithm":  stringOption(&c.IDTokenAlgorithm),
		"dpop":                {read: c.readDPoP},
		"mtls":                {read: c.readMTLS},
		"refresh_token": blockOption(func() options {
			c.RefreshToken = new(RefreshToken)
			return c.RefreshToken.options()
		}),
	}
}

func (r *RefreshToken) options() options {
	return options{
		"rotation": switchOption(&r.Rotation),
		"leeway": {read: func(g *grammar) error {
			word, err := g.word()
			if err != nil {
				return err
			}
			d, err := g.parseDuration(word)
			r.Leeway = new(caddy.Duration(d))
			return err
		}},
		"lifetime":      lifetimeOption(&r.Lifetime),
		"idle_lifetime": lifetimeOption(&r.IdleLifetime),
		"max_active":    countOption(&r.MaxActive),
		"cookie":        flagOption(&r.Cookie),
	}
}
