package tokens

import (
	"context"
)

// Grants returns the live refresh token families of a subject, with the ends
// that they have as configured now.
func (i *Issuer) Grants(ctx context.Context, subject string) ([]Family, error) {
	families, err := i.state.Store.ListFamilies(ctx, TagSubject(subject))
	if err != nil {
		return nil, unavailable(err)
	}
	return i.live(ctx, families)
}

// live leaves out what is over by today's configuration and clients' watermarks.
func (i *Issuer) live(ctx context.Context, families []Family) ([]Family, error) {
	now := i.cfg.Clock()
	live := families[:0]
	for _, f := range families {
		watermark, err := i.state.Denylist.ClientWatermark(ctx, f.Client)
		if err != nil {
			return nil, err
		}
		if c, ok := i.clients.Tagged(f.Client); ok {
			f = f.Limited(c.Refresh.Lifetime, c.Refresh.IdleLifetime)
		}
		if f.Created.After(watermark) && !f.Dead(now) {
			live = append(live, f)
		}
	}
	return live, nil
}

// ClientOf returns the id of the configured client that a family belongs to, or "".
func (i *Issuer) ClientOf(f Family) string {
	if c, ok := i.clients.Tagged(f.Client); ok {
		return c.ID
	}
	return ""
}
