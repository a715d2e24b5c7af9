package tokens

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// ErrAnotherPerson is returned where somebody else came than was asked for (Provided.Only).
var ErrAnotherPerson = errors.New("signing in: another person came than was asked for")

// known makes of somebody whom a provider has sent the person that they are here: an
// operator may have said that it is one with another subject (storage.Alias), of the same
// login. The provider is asked again about the ID that it knows.
func (i *Issuer) known(ctx context.Context, in Provided) (Provided, error) {
	a, err := i.state.Store.Alias(ctx, storage.TagSubject(in.Profile.Subject))
	if err != nil {
		return in, oauth.Unavailable(err)
	}
	if a.Subject != "" {
		if in.Given != nil {
			given := *in.Given
			_, given.ID, _ = strings.Cut(in.Profile.Subject, "|")
			in.Given = &given
		}
		in.Profile.Subject = a.Subject
	}
	if in.Only != "" && in.Profile.Subject != in.Only {
		return in, ErrAnotherPerson
	}
	return in, nil
}
