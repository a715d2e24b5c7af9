package caddymodule

import (
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// checkAddress checks an address of the provider.
func (p *ProviderLogin) checkAddress(text string) error {
	u, err := parseURL(text)
	if err != nil {
		return err
	}
	if err = checkWeb(u); errors.Is(err, errInClear) {
		if p.Insecure {
			return nil
		}
		return fmt.Errorf("%w; for a test on a network of your own write `insecure`", err)
	}
	return err
}

// checkScope checks a scope that is asked for. See RFC 6749 §3.3.
func checkScope(scope string) error {
	if !oauth.ValidScope(scope) {
		return errors.New("is no scope: it has neither spaces nor quotes (RFC 6749 §3.3)")
	}
	return nil
}
