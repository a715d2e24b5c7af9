package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// takeOwn takes a code that is this client's and request's.
func (i *Issuer) takeOwn(ctx context.Context, c *clients.Client, r TokenRequest, ref reference, attempt storage.Attempt) (body codeBody, res storage.TakeResult, err error) {
	if res, err = i.takeCode(ctx, c, ref, attempt); err != nil {
		return body, res, err
	}
	switch {
	case res.Outcome == storage.CodeUnknown:
		return body, res, i.codeForgotten(ctx, c, r.GrantType, ref)
	case res.Outcome == storage.CodeSpent && res.Mine: // its exchange was not answered in time
		return body, res, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonCodeSpent, badCode)
	case res.Outcome == storage.CodeSpent:
		mine := res.Owner == codeOwner(c.ID, challengeOf(r.CodeVerifier))
		return body, res, i.codeReused(ctx, c, r.GrantType, ref, mine && res.Now.Sub(res.TakenAt)-waitedFor(ctx) < retryWindow)
	}
	if err := json.Unmarshal(res.Body, &body); err != nil {
		return body, res, oauth.Unavailable(fmt.Errorf("reading code: %w", err))
	}
	return body, res, body.boundTo(c, r) // or the code is burned: a verifier cannot be guessed
}

// takeCode lets the store decide who gets the code.
func (i *Issuer) takeCode(ctx context.Context, c *clients.Client, ref reference, attempt storage.Attempt) (storage.TakeResult, error) {
	marks, err := i.state.Denylist.MarksOf(ctx, c.Tag())
	if err != nil {
		return storage.TakeResult{}, err
	}
	ctx, done := storage.Decisive(ctx)
	defer done()
	res, err := i.state.Store.TakeCode(ctx, storage.TakeRequest{
		User: ref.user, ID: storage.CodeKey(ref.key).ID(), Client: c.Tag(), BegunAfter: marks.Client, DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err != nil {
		return res, oauth.Unavailable(err)
	}
	return res, nil
}

// waited is the key in a context of how long an exchange has waited for another one.
type waited struct{}

// waitedFor returns how long an exchange of a code has waited for another one of it.
func waitedFor(ctx context.Context) time.Duration {
	d, _ := ctx.Value(waited{}).(time.Duration)
	return d
}

// tryCode runs one exchange of a code, all of it by one attempt: the one before,
// where that was not answered.
func tryCode[T any](ctx context.Context, i *Issuer, ref reference, exchange func(context.Context, storage.Attempt) (T, error)) (res T, err error) {
	id, came := storage.CodeKey(ref.key).ID(), i.cfg.Clock()
	attempt, again, err := i.state.Attempts.Begin(ctx, id)
	if err != nil {
		return res, oauth.Unavailable(fmt.Errorf("waiting for another exchange of the code: %w", err))
	}
	defer i.state.Attempts.End(id)
	if !again {
		attempt = i.state.NewAttempt()
	}
	res, err = exchange(context.WithValue(ctx, waited{}, i.cfg.Clock().Sub(came)), attempt)
	if withoutAnswer(ctx, err) {
		i.state.Attempts.Keep(id, attempt, i.cfg.Clock())
	}
	return res, err
}
