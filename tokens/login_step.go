package tokens

import (
	"context"
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
	Fresh  bool      // they have just signed in
	Unseen bool      // but by a provider, and no page of ours has named the client to them
	Agreed *Question // what they agreed to; nil while they have not
}

// NextStep decides what a request needs, given the person's login (nil when
// there is none). With prompt=none the error is login_required or
// consent_required instead of a step.
// See OpenID Connect Core §3.1.2.1 and §3.1.2.6, RFC 8252 §8.6.
func (i *Issuer) NextStep(ctx context.Context, a *Authorization, l *Login, p Progress) (Step, error) {
	c, err := i.Asking(ctx, a)
	if err != nil {
		return 0, err
	}
	if c.Unregistered() {
		if !c.MatchesRedirect(a.RedirectURI) { // its document has changed since, and nobody vouches for the address any more
			return 0, oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBadRedirect, "The redirect_uri is not one that the application has registered any more.").
				With(redirectMismatch(c, a.RedirectURI))
		}
		marks, err := i.state.Denylist.MarksOf(ctx, c.Tag())
		if err != nil {
			return 0, err
		}
		if marks.Blocked {
			return 0, oauth.Refuse(oauth.UnauthorizedClient, oauth.ReasonBlocked, "The application was blocked by the operator of this server.")
		}
	}
	silent := slices.Contains(a.Prompt, PromptNone)
	if i.needsLogin(c, a, l, p.Fresh) {
		if silent {
			return 0, oauth.Refuse(oauth.LoginRequired, "", "The person is not signed in.")
		}
		return StepLogin, nil
	}
	if err := i.mayEnter(c, &l.Profile); err != nil {
		return 0, err
	}
	switch {
	case len(a.ACRs) > 0 && !slices.Contains(a.ACRs, l.Session.ACR):
		return 0, oauth.Refuse(oauth.UnmetAuthentication, "", "The person could not sign in by any of the acr_values.")
	case a.HintSubject != "" && l.Profile.Subject != a.HintSubject:
		return 0, oauth.Refuse(oauth.LoginRequired, "", "A different person is signed in than the application expects.")
	}
	question, err := i.question(ctx, c, a, l, p.named())
	switch {
	case err != nil:
		return 0, err
	case p.Agreed.answers(question):
		return StepIssue, nil
	case silent:
		return 0, oauth.Refuse(oauth.ConsentRequired, "", "The person must agree first.")
	}
	return StepConsent, nil
}

// named reports whether the person has just given a password on a page that named the client.
func (p Progress) named() bool { return p.Fresh && !p.Unseen }

func (i *Issuer) needsLogin(c *clients.Client, a *Authorization, l *Login, fresh bool) bool {
	if l == nil || !c.Admits(l.Profile.Login) {
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

// developing reports whether a browser app is being developed: gateway and app
// are both plain http on this machine, and the address is registered with its
// port. There is nobody to deceive yet, and SDKs renew silently there, too.
func (i *Issuer) developing(c *clients.Client, redirectURI string) bool {
	return strings.HasPrefix(i.cfg.Issuer, "http://") && c.Type != clients.Native && slices.Contains(c.RedirectURIs, redirectURI)
}
