package login

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// Providers makes one tokens.Providers of all logins; nil where none is at a provider
// that is asked again.
func Providers(logins []Login) tokens.Providers {
	p := make(providers)
	for _, l := range logins {
		if e, ok := l.(Elsewhere); ok && e.Schedule().Recheck > 0 {
			p[l.Name()] = e
		}
	}
	if len(p) == 0 {
		return nil
	}
	return p
}

type providers map[string]Elsewhere

// Schedule implements tokens.Providers.
func (p providers) Schedule(login string) (every, grace time.Duration) {
	e, ok := p[login]
	if !ok {
		return 0, 0
	}
	return e.Schedule().Recheck, e.Schedule().Grace
}

// Ask implements tokens.Providers.
func (p providers) Ask(ctx context.Context, login, subject string, given tokens.Given) tokens.Answer {
	e, ok := p[login]
	if !ok || given.RefreshToken == "" {
		return tokens.Answer{Cause: errors.New("the login has nothing to ask its provider with")}
	}
	_, id, _ := strings.Cut(subject, "|")
	who, err := e.Recheck(ctx, id, given.RefreshToken)
	if err != nil {
		return failedAnswer(err)
	}
	a := tokens.Answer{Kind: tokens.AnswerKept, Claims: who.Claims, Groups: who.Groups}
	if who.Thin {
		a = tokens.Answer{Kind: tokens.AnswerThin}
	}
	a.GroupsUnknown = who.GroupsUnknown
	if who.RefreshToken != "" && who.RefreshToken != given.RefreshToken || who.IDToken != "" {
		given.RefreshToken, given.IDToken = cmp.Or(who.RefreshToken, given.RefreshToken), cmp.Or(who.IDToken, given.IDToken)
		a.Given = &given
	}
	return a
}

// failedAnswer is what a failure of Recheck means. Only these two are about the person.
func failedAnswer(err error) tokens.Answer {
	failed, ok := errors.AsType[*FailedError](err)
	switch {
	case ok && failed.Failure == FailedGone:
		return tokens.Answer{Kind: tokens.AnswerGone, Cause: err}
	case ok && failed.Failure == FailedNotAllowed:
		return tokens.Answer{Kind: tokens.AnswerNotAllowed, Cause: err}
	}
	return tokens.Answer{Kind: unclear(failed), Cause: err}
}

// unclear says whether what the provider was asked with may be spent: where it has not
// answered, and not where it has refused this gateway or was not asked.
func unclear(f *FailedError) tokens.AnswerKind {
	if f != nil && f.Failure == FailedDown {
		return tokens.AnswerLost
	}
	return tokens.AnswerUnclear
}
