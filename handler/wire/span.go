package wire

import (
	"cmp"
	"context"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
)

// InSpan begins a span of a request, where its trace is recorded. What is done for the
// request that it returns belongs to the span. What was changed of that request is
// changed of r when done is called, which ends the span.
func InSpan(r *http.Request, name spans.Name) (inside *http.Request, done func()) {
	ctx, span := spans.Begin(r.Context(), name)
	if !span.Recorded() {
		return r, nothing
	}
	return within(ctx, span, r)
}

// within is InSpan where there is a span: what it allocates, others do not.
func within(ctx context.Context, span spans.Span, r *http.Request) (*http.Request, func()) {
	inside := r.WithContext(ctx)
	return inside, func() {
		span.End()
		*r = *inside.WithContext(r.Context())
	}
}

func nothing() {}

// NoteAnswer says in the span of a request what came of it: ok, or why it was refused.
func NoteAnswer(r *http.Request, err error) {
	if err == nil {
		NoteVerdict(r, "", "")
		return
	}
	NoteVerdict(r, cmp.Or(RefusalOf(err).Reason, oauth.ReasonMalformed), "")
}

// NoteVerdict says in the span of a request why it was refused, "" for a pass, and of which
// client it is, "" where that is not known.
func NoteVerdict(r *http.Request, reason oauth.Reason, client string) {
	ctx := r.Context()
	if !spans.Inside(ctx) {
		return
	}
	spans.Note(ctx, spans.Client, client)
	switch reason {
	case "":
		spans.Note(ctx, spans.Outcome, oauth.OutcomeOK)
	case oauth.ReasonStore, oauth.ReasonIssuerKeys:
		spans.Fail(ctx, reason)
	default:
		spans.Note(ctx, spans.Outcome, reason)
	}
}
