package tokens

import (
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Step is what an authorization request needs next.
type Step uint8

// The steps of an authorization.
const (
	StepIssue   Step = iota + 1 // issue the code
	StepLogin                   // ask who the person is
	StepConsent                 // ask whether the client may go on
)

// Progress is what a person has done in answer to one authorization request.
type Progress struct {
	Fresh     bool // they have just signed in
	Unseen    bool // but by a provider, and no page of ours has named the client to them
	Consented bool // they agreed
}

// NextStep decides what a request needs, given the person's login (nil when
// there is none). With prompt=none the error is login_required or
// consent_required instead of a step.
// See OpenID Connect Core §3.1.2.1 and §3.1.2.6, RFC 8252 §8.6.
func (i *Issuer) NextStep(a *Authorization, l *Login, p Progress) (Step, error) {
	silent := slices.Contains(a.Prompt, PromptNone)
	if i.needsLogin(a, l, p.Fresh) {
		if silent {
			return 0, oauth.Refuse(oauth.LoginRequired, "", "The person is not signed in.")
		}
		return StepLogin, nil
	}
	if c, ok := i.Asking(a); ok {
		if err := i.mayEnter(c, &l.Profile); err != nil {
			return 0, err
		}
	}
	switch {
	case len(a.ACRs) > 0 && !slices.Contains(a.ACRs, l.Session.ACR):
		return 0, oauth.Refuse(oauth.UnmetAuthentication, "", "The person could not sign in by any of the acr_values.")
	case a.HintSubject != "" && l.Profile.Subject != a.HintSubject:
		return 0, oauth.Refuse(oauth.LoginRequired, "", "A different person is signed in than the application expects.")
	case !p.Consented && i.needsConsent(a, p.Fresh && !p.Unseen):
		if silent {
			return 0, oauth.Refuse(oauth.ConsentRequired, "", "The person must agree first.")
		}
		return StepConsent, nil
	}
	return StepIssue, nil
}

func (i *Issuer) needsLogin(a *Authorization, l *Login, fresh bool) bool {
	if l == nil || !i.mayUse(a, l) {
		return true
	}
	if fresh {
		return false
	}
	if slices.Contains(a.Prompt, PromptLogin) || slices.Contains(a.Prompt, PromptSelectAccount) {
		return true
	}
	if a.HintSubject != "" && l.Profile.Subject != a.HintSubject {
		return true
	}
	if len(a.ACRs) > 0 && !slices.Contains(a.ACRs, l.Session.ACR) {
		return true
	}
	if a.MaxAge <= 0 {
		return a.MaxAge == 0
	}
	return i.cfg.Clock().Sub(l.Session.AuthTime) > time.Duration(a.MaxAge)*time.Second
}

// mayUse reports whether the client takes people of this login.
func (i *Issuer) mayUse(a *Authorization, l *Login) bool {
	c, ok := i.Asking(a)
	return ok && c.Admits(l.Profile.Login)
}

// needsConsent reports whether to ask. A client whose redirect URI other
// software on the device can claim is never answered silently, unless the
// operator vouches for it; a password just given on a page that named the
// client is as good as a consent.
func (i *Issuer) needsConsent(a *Authorization, named bool) bool {
	c, ok := i.Asking(a)
	switch {
	case !ok || slices.Contains(a.Prompt, PromptConsent) || c.Consent == clients.ConsentAlways:
		return true
	case c.Consent == clients.ConsentNever || named:
		return false
	}
	return oauth.ClaimableRedirect(a.RedirectURI) && !i.developing(c, a.RedirectURI)
}

// developing reports whether a browser app is being developed: gateway and app
// are both plain http on this machine, and the address is registered with its
// port. There is nobody to deceive yet, and SDKs renew silently there, too.
func (i *Issuer) developing(c *clients.Client, redirectURI string) bool {
	return strings.HasPrefix(i.cfg.Issuer, "http://") && c.Type != clients.Native && slices.Contains(c.RedirectURIs, redirectURI)
}
