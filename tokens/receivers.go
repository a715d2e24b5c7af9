package tokens

import (
	"cmp"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/logout"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// notedForEver is for how long a client is noted for a session whose refresh tokens have no end.
const notedForEver = 400 * 24 * time.Hour

// notedFor is for how long a client that takes a code is noted for its session, to be told of
// its end: as long as the session, and what the client may hold by it. It is 0 for one that
// does not ask for it, and for one that nobody has registered.
func (i *Issuer) notedFor(c *clients.Client) time.Duration {
	if c.BackChannelURI == "" || c.Origin != clients.Configured {
		return 0
	}
	return max(i.cfg.SessionLifetime, cmp.Or(c.Refresh.KeepsGrants(), notedForEver))
}

// Receivers are the clients that are told of sign-outs.
func (i *Issuer) Receivers() map[storage.ClientTag]logout.Receiver {
	all := make(map[storage.ClientTag]logout.Receiver)
	for _, c := range i.Clients() {
		if i.notedFor(c) > 0 {
			alg := jose.Algorithm(cmp.Or(c.IDTokenAlg, i.cfg.IDTokenAlg))
			all[c.Tag()] = logout.Receiver{ClientID: c.ID, URI: c.BackChannelURI, Alg: alg}
		}
	}
	return all
}

// LogoutSender makes what tells the clients of sign-outs, by a function that posts a logout
// token; nil where no client asks for it. It does no I/O before it is started.
func (i *Issuer) LogoutSender(deliver logout.Deliver) *logout.Sender {
	receivers := i.Receivers()
	if len(receivers) == 0 {
		return nil
	}
	return logout.NewSender(logout.Config{
		Issuer:    i.cfg.Issuer,
		Outbox:    i.state.Store,
		Node:      i.state.Node(),
		Attempt:   i.state.NewAttempt,
		Wake:      i.state.Told(),
		Receivers: receivers,
		Signer:    func(alg jose.Algorithm) (*jose.PrivateKey, error) { return i.state.Keys.Signers().Signer(alg) },
		Deliver:   deliver,
		Observer:  i.cfg.Observer,
		Now:       i.storeNow,
		Random:    i.random16,
	})
}
