package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Providers asks the identity providers of logins again about people who came by them.
type Providers interface {
	// Schedule returns how long an answer of a login's provider counts, 0 for ever, and
	// how long beyond that facts serve that could not be checked.
	Schedule(login string) (every, grace time.Duration)
	// Ask asks the provider of a login about the person of this subject, with what it gave.
	Ask(ctx context.Context, login, subject string, given Given) Answer
}

// Given is what a provider gave at a login, to be asked with again. The store holds it sealed.
type Given struct {
	RefreshToken string `json:"r,omitempty"`
	IDToken      string `json:"i,omitempty"` // for the sign-out there
	Login        string `json:"l,omitempty"` // beside IDToken: whose it is
	// ID is what the provider calls the person, where the subject has another one.
	ID string `json:"s,omitempty"`
}

// AnswerKind is what a provider has said.
type AnswerKind uint8

// The answers of providers.
const (
	// AnswerUnclear: nothing that is about the person. Facts stay as they were.
	AnswerUnclear AnswerKind = iota
	// AnswerLost: nothing, and what it was asked with may be spent: the answer was lost.
	AnswerLost
	AnswerKept // the person is still who they were, and this is what is known now
	// AnswerThin: the login is good, and the answer says nothing of the person, or not
	// of their groups. Facts stay, and count as not checked.
	AnswerThin
	AnswerGone       // the login is over there
	AnswerNotAllowed // the person may not come in any more
)

// Answer is what a provider has said about a person.
type Answer struct {
	Kind   AnswerKind
	Claims map[string]any // AnswerKept
	Groups []string       // as the provider names them: AnswerKept
	// GroupsUnknown says that it did not tell the groups, which is not none: those of
	// before stay, and if there are any, the answer counts as thin.
	GroupsUnknown bool
	Given         *Given // in the place of what it was asked with, but for its ID; nil to keep that
	Cause         error  // why it is none of the others, for the log: AnswerUnclear
}

// kept returns what of it fits into the store: without the ID token, if that is too long, and
// nothing at last. A sign-in does not fail by it.
func (g *Given) kept() *Given {
	if g == nil || len(g.RefreshToken)+len(g.IDToken) <= maxGiven {
		return g
	}
	if len(g.RefreshToken) <= maxGiven && g.RefreshToken != "" {
		return &Given{RefreshToken: g.RefreshToken}
	}
	return nil
}

// maxGiven is how many bytes of tokens fit into storage.MaxSealed, sealed, as JSON.
const maxGiven = storage.MaxSealed - 128

// seal protects what a provider gave: for this user, this login and this number of it, so
// that an older one, or another's, cannot be put in its place.
func (g *Given) seal(s *secrets.Secrets, user storage.UserTag, session storage.SessionID, seq uint32) ([]byte, error) {
	if g = g.kept(); g == nil || *g == (Given{}) {
		return nil, nil
	}
	text, err := json.Marshal(g) //nolint:gosec // it is sealed
	if err != nil {
		return nil, fmt.Errorf("sealing what a provider gave: %w", err)
	}
	return s.Seal(secrets.PurposeSealGiven, text, givenFor(user, session, seq)), nil
}

// openGiven reads what seal wrote.
func openGiven(s *secrets.Secrets, sealed []byte, user storage.UserTag, session storage.SessionID, seq uint32) (g Given, err error) {
	text, _, err := s.Open(secrets.PurposeSealGiven, sealed, givenFor(user, session, seq))
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		return Given{}, fmt.Errorf("opening what a provider gave: %w", err)
	}
	return g, nil
}

func givenFor(user storage.UserTag, session storage.SessionID, seq uint32) []byte {
	return fmt.Appendf(nil, "%s %s %d", user, session, seq)
}
