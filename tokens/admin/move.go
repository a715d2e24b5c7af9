package admin

import (
	"context"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// RefusedError is why something that an operator asks for is not done, and what to do
// about it.
type RefusedError string

// Error returns that.
func (e RefusedError) Error() string { return string(e) }

func refusef(format string, args ...any) error { return RefusedError(fmt.Sprintf(format, args...)) }

// Move says that who signs in with one subject from now on is the person of another.
type Move struct {
	Old    string // that the person keeps, for every application
	New    string // that their provider has for them now
	Force  bool   // end what New has
	DryRun bool   // only look
}

// Moved says what a Move has done, or would do.
type Moved struct {
	Already  bool // it had been said before
	Families int  // of New that Force has ended, or would end
	Sessions int
}

// Move moves somebody. Both subjects are to be of one login, at a provider, which the
// caller sees to. Errors: a RefusedError too, and then nothing has changed.
func (o *Operator) Move(ctx context.Context, m Move) (Moved, error) {
	var done Moved
	all, err := o.state.Store.ListAliases(ctx)
	if err != nil {
		return done, oauth.Unavailable(err)
	}
	if done.Already, err = m.checkChain(all); err != nil {
		return done, err
	}
	there, err := o.User(ctx, storage.TagSubject(m.New), m.New)
	if err != nil {
		return done, err
	}
	has := there.Known || len(there.Families)+len(there.Sessions) > 0
	switch {
	case there.Disabled:
		return done, refusef("%s is disabled, which would count no more: `caddy oauth users enable '%s'` first, or disable %s", m.New, m.New, m.Old)
	case has && !done.Already && !m.Force:
		return done, refusef("%s has signed in as somebody of their own, with %d sessions and %d grants: --force ends those, and then moves them", m.New, len(there.Sessions), len(there.Families))
	case m.Force:
		done.Families, done.Sessions = len(there.Families), len(there.Sessions)
	}
	if m.DryRun {
		return done, nil
	}
	call, free := storage.Decisive(ctx)
	defer free()
	if err := o.state.Store.PutAlias(call, storage.Alias{From: m.New, Subject: m.Old}); err != nil {
		return done, oauth.Unavailable(err)
	}
	if has && m.Force { // after it, so that nothing begins in between
		_, err = o.EndUser(call, m.New)
	}
	return done, err
}

// checkChain refuses a move beside which another one stands, and reports whether it is
// there already.
func (m Move) checkChain(all []storage.Alias) (already bool, err error) {
	for _, a := range all {
		switch {
		case a == storage.Alias{From: m.New, Subject: m.Old}:
			already = true
		case a.From == m.New:
			return false, refusef("%s has been moved and signs in as %s: take that back first, by --undo '%s'", a.From, a.Subject, a.From)
		case a.From == m.Old:
			return false, refusef("%s has been moved itself and signs in as %s: move to that one, or take that back by --undo '%s'", a.From, a.Subject, a.From)
		case a.Subject == m.New:
			return false, refusef("%s signs in as %s, which must not be moved on: take that back first, by --undo '%s'", a.From, a.Subject, a.From)
		}
	}
	return already, nil
}

// MovedTo returns the subject that a moved one signs in as, "" for itself.
func (o *Operator) MovedTo(ctx context.Context, user storage.UserTag) (string, error) {
	a, err := o.state.Store.Alias(ctx, user)
	if err != nil {
		return "", oauth.Unavailable(err)
	}
	return a.Subject, nil
}

// UndoMove takes back what Move has said about a subject, and returns whose they were.
// What was begun meanwhile stays theirs. Errors: a RefusedError too.
func (o *Operator) UndoMove(ctx context.Context, subject string, dryRun bool) (old string, err error) {
	a, err := o.state.Store.Alias(ctx, storage.TagSubject(subject))
	switch {
	case err != nil:
		return "", oauth.Unavailable(err)
	case a.Subject == "":
		return "", refusef("%s has not been moved: name the new subject of a move, as `caddy oauth users show` tells it", subject)
	case dryRun:
		return a.Subject, nil
	}
	call, free := storage.Decisive(ctx)
	defer free()
	if err := o.state.Store.PutAlias(call, storage.Alias{From: subject}); err != nil {
		return "", oauth.Unavailable(err)
	}
	return a.Subject, nil
}
