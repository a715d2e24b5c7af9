package tokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Grants returns the live refresh token families of a subject, with the ends
// that they have as configured now.
func (i *Issuer) Grants(ctx context.Context, subject string) ([]storage.Family, error) {
	families, err := i.state.Store.ListFamilies(ctx, storage.TagSubject(subject))
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	return i.Live(ctx, families)
}

// Live leaves out what is over by today's configuration and clients' watermarks.
func (i *Issuer) Live(ctx context.Context, families []storage.Family) ([]storage.Family, error) {
	now := i.cfg.Clock()
	live := families[:0]
	for _, f := range families {
		watermark, err := i.state.Denylist.ClientWatermark(ctx, f.Client)
		if err != nil {
			return nil, err
		}
		if p, ok := i.clients.Policy(f.Client); ok {
			f = f.Limited(p.Lifetime, p.IdleLifetime)
		}
		if f.Created.After(watermark) && !f.Dead(now) {
			live = append(live, f)
		}
	}
	return live, nil
}
