package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Begin implements login.Elsewhere. Where the provider's metadata was never had it waits
// two seconds at most for a fetch that is under way.
func (o *OIDC) Begin(d login.Departure) (string, error) {
	doc, err := o.document()
	if err != nil {
		return "", err
	}
	o.published.leaves()
	return o.cfg.authorizationURL(doc, d)
}

// Finish implements login.Elsewhere.
func (o *OIDC) Finish(ctx context.Context, d login.Departure, answer url.Values) (*login.Arrival, error) {
	o.published.returns()
	doc, err := o.document()
	if err != nil {
		return nil, err
	}
	code, err := o.cfg.readAnswer(doc, d, answer)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	token, err := o.redeem(ctx, doc, d, code)
	if err != nil {
		return nil, err
	}
	f, err := o.source.ask(ctx, doc, token, &d)
	if err != nil {
		return nil, err
	}
	if err := o.cfg.trouble(f); err != nil {
		return nil, err
	}
	who, mail, err := o.arrive(ctx, f, token)
	if err != nil {
		return nil, err
	}
	if err := o.cfg.allow(who, mail, f, false); err != nil {
		return nil, err
	}
	if err := checkAsked(who, d); err != nil {
		return nil, err
	}
	o.toldOf(doc, who)
	return who, nil
}

// toldOf leaves of somebody who has come in the names by which the provider will tell of a sign-out,
// where it does: only these are worth a record.
func (o *OIDC) toldOf(doc *metadata, who *login.Arrival) {
	if !doc.BackChannel && !doc.FrontChannel {
		who.ProviderSession, who.ProviderSubject = "", ""
	}
	if slices.Equal(o.cfg.Subject, []string{"sub"}) || !doc.BackChannel {
		who.ProviderSubject = "" // the ID says as much
	}
}

// Recheck implements login.Elsewhere. What stays unclear after the provider has given new
// tokens, or is not believed, is a Thin arrival and no error: the old refresh token may be
// good no more, and without the new one the next answer would end an honest login.
func (o *OIDC) Recheck(ctx context.Context, id, refreshToken string) (*login.Arrival, error) {
	doc, err := o.document()
	if err != nil {
		return nil, err
	}
	if refreshToken == "" {
		return nil, failed(login.FailedDown, reasonGrant, errors.New("asking again: the login has brought no refresh token: ask for offline_access, or what the provider has in its place"))
	}
	if wait := o.throttledFor(); wait > 0 {
		return nil, &login.FailedError{Failure: login.FailedDown, Reason: reasonThrottled, After: wait, Cause: errors.New("asking again: the provider has said to wait")}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	token, err := o.source.renew(ctx, doc, refreshToken)
	if err != nil {
		return nil, o.refused(ctx, err, true)
	}
	f, err := o.source.ask(ctx, doc, token, nil)
	if err == nil {
		err = o.cfg.trouble(f)
	}
	var who *login.Arrival
	if err == nil && !f.none() {
		who, err = o.arriveAgain(ctx, id, f, token)
	}
	if err != nil {
		switch asFailed(err, reasonUnreachable).Failure {
		case login.FailedGone, login.FailedNotAllowed:
			return nil, err
		default:
			o.cfg.Logger.WarnContext(ctx, "a recheck has brought nothing", "login", o.cfg.Name, "error", err)
		}
	}
	if who == nil || err != nil {
		who = &login.Arrival{ID: id, Thin: true, GroupsUnknown: true, RefreshToken: o.source.keep(token)}
	}
	return who, nil
}

// arriveAgain makes an Arrival of what a recheck has brought.
func (o *OIDC) arriveAgain(ctx context.Context, id string, f *facts, token *oauth2.Token) (*login.Arrival, error) {
	if _, err := o.cfg.idOf(f); err != nil {
		return nil, failed(login.FailedDown, reasonSubject, err)
	}
	who, mail, err := o.arrive(ctx, f, token)
	if err != nil {
		return nil, err
	}
	if who.ID != id {
		return nil, forged(reasonSubject, "asking again: the provider speaks of another person")
	}
	if len(o.cfg.GroupsClaims) > 0 && !o.cfg.hasGroups(f) { // F37
		who.GroupsUnknown = true
	}
	return who, o.cfg.allow(who, mail, f, true)
}

// arrive makes an Arrival of the facts and the tokens.
func (o *OIDC) arrive(ctx context.Context, f *facts, token *oauth2.Token) (*login.Arrival, email, error) {
	who, mail, err := o.cfg.arrive(f)
	if err != nil {
		if asFailed(err, reasonSubject).Reason == reasonTooLarge {
			o.health.tell(ctx, oauth.LoginTooLarge, err)
		}
		return nil, mail, err
	}
	who.RefreshToken = o.source.keep(token)
	if raw := idTokenOf(token); o.cfg.KeepIDToken && len(raw) <= maxKeptIDToken {
		who.IDToken = raw
	}
	if o.cfg.cutByOkta(who.Groups) {
		o.cfg.Logger.WarnContext(ctx, "a person has 100 groups exactly: Okta sends no more and does not say so", "login", o.cfg.Name)
	}
	return who, mail, nil
}

// maxKeptIDToken is how long an ID token may be that goes along to the sign-out, in an address.
const maxKeptIDToken = 8 << 10

func (o *OIDC) document() (*metadata, error) {
	doc := o.published.document()
	if doc == nil {
		return nil, failed(login.FailedDown, reasonNoDiscovery, o.published.trouble())
	}
	return doc, nil
}

// redeem redeems a code, once, within the bounds.
func (o *OIDC) redeem(ctx context.Context, doc *metadata, d login.Departure, code string) (*oauth2.Token, error) {
	if err := o.bounds.enter(ctx, o.cfg.Clock()); err != nil {
		return nil, err
	}
	params := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {d.RedirectURI}}
	if o.cfg.challenges(doc) {
		params.Set("code_verifier", d.Verifier)
	}
	token, err := o.askToken(ctx, doc, params)
	if err != nil {
		f := o.refused(ctx, err, false)
		o.bounds.leave(o.cfg.Clock(), f)
		return nil, f
	}
	o.bounds.leave(o.cfg.Clock(), nil)
	return token, nil
}

// interactionNumbers are errors of Entra that a person can end (C3): a second factor, or
// conditional access, or the time between sign-ins.
var interactionNumbers = map[int]bool{50076: true, 50079: true, 50158: true, 70043: true}

// refused says what it means that the token endpoint has given no tokens: at a sign-in, or
// in a recheck, where the list of answers that end something is closed (F38 to F42).
func (o *OIDC) refused(ctx context.Context, err error, recheck bool) *login.FailedError {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return asFailed(err, reasonUnreachable)
	}
	if r.status == http.StatusTooManyRequests && r.after > 0 {
		o.mu.Lock()
		o.throttled = o.cfg.Clock().Add(r.after)
		o.mu.Unlock()
	}
	failure, reason := r.meaning(recheck)
	if reason == reasonClient {
		o.health.clientRefused(ctx, r)
	}
	return &login.FailedError{Failure: failure, Reason: reason, Cause: r, After: r.after}
}

// meaning says what an error of RFC 6749 §5.2 means.
func (r *refusal) meaning(recheck bool) (login.Failure, string) {
	spent, unknown := login.FailedAgain, login.FailedBroken
	reason := reasonCode
	if recheck {
		spent, unknown, reason = login.FailedGone, login.FailedDown, reasonGrant
	}
	if r.status == http.StatusTooManyRequests || r.status >= http.StatusInternalServerError {
		return login.FailedDown, reasonUnreachable
	}
	switch r.code {
	case "", "temporarily_unavailable", "server_error", "slow_down":
		return login.FailedDown, reasonUnreachable
	case "invalid_client", "incorrect_client_credentials", "unauthorized_client":
		return login.FailedBroken, reasonClient
	case "invalid_grant":
		if r.status != http.StatusBadRequest && r.status != http.StatusUnauthorized {
			return login.FailedDown, reasonUnreachable
		}
		if recheck && r.wantsThePerson() {
			return login.FailedDown, reasonInteraction
		}
		return spent, reason
	case "bad_verification_code", "bad_refresh_token": // GitHub's, with 200
		return spent, reason
	case "interaction_required", "login_required", "consent_required":
		if recheck {
			return login.FailedDown, reasonInteraction
		}
		return login.FailedAgain, reasonInteraction
	}
	return unknown, reasonRequest
}

func (r *refusal) wantsThePerson() bool {
	for _, n := range r.numbers {
		if interactionNumbers[n] {
			return true
		}
	}
	return r.suberror != ""
}

// throttledFor is how long the provider wants not to be asked again (F44).
func (o *OIDC) throttledFor() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.throttled.Sub(o.cfg.Clock())
}
