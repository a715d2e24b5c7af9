package upstream

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Report implements login.Reporter.
func (o *OIDC) Report(ctx context.Context) login.Report {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r := login.Report{Issuer: o.cfg.Issuer}
	doc, err := o.published.held.Load(), error(nil)
	if o.published.discover != nil {
		doc, err = o.published.discover(ctx)
	}
	r.Discovered = err == nil && doc != nil
	problem := func(err error) {
		if err != nil {
			r.Problems = append(r.Problems, err.Error())
		}
	}
	problem(err)
	if r.Discovered {
		announced(&r, doc)
		r.Notes = o.cfg.unfit(doc)
		if o.keys != nil {
			r.Keys, err = o.reportKeys(ctx, doc)
			problem(err)
		}
	}
	ahead := o.clock.value()
	r.ClockAhead = int64(ahead / time.Second)
	if ahead.Abs() > tokenLeeway {
		problem(fmt.Errorf("the provider's clock is %s, and may differ by %s: set the one that is wrong by NTP", r.Clock(), tokenLeeway))
	}
	if err := o.Trouble(); err != nil {
		r.Trouble = err.Error()
	}
	return r
}

// reportKeys fetches the keys, and keeps none.
func (o *OIDC) reportKeys(ctx context.Context, doc *metadata) (keys []string, err error) {
	document, _, err := fetch.NewKeyFetcher(fetch.KeySource{JWKSURI: doc.JWKS, Client: o.client}, nil).Fetch(ctx)
	if err != nil {
		return nil, withoutURL(err)
	}
	set, err := jose.ParseKeySet(document)
	if err != nil {
		return nil, err
	}
	algorithms := o.cfg.algorithms(doc)
	for _, key := range set.Keys() {
		if slices.Contains(algorithms, key.Algorithm()) {
			keys = append(keys, oauth.Printable(key.ID())+" "+string(key.Algorithm()))
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("none of its keys is for an algorithm of its ID tokens, which are %v: check `algorithms`", algorithms)
	}
	return keys, nil
}

// unfit is what is configured and the provider does not announce.
func (c *Config) unfit(doc *metadata) (found []string) {
	if len(doc.Scopes) > 0 {
		for _, scope := range c.Scopes {
			if !slices.Contains(doc.Scopes, scope) {
				found = append(found, fmt.Sprintf("the scope %s is not announced: it may be refused, or mean nothing", scope))
			}
		}
	}
	if auth := c.ClientAuth; auth != "" && len(doc.ClientAuths) > 0 && !slices.Contains(doc.ClientAuths, string(auth)) {
		found = append(found, fmt.Sprintf("the client authentication %s is not announced: check `client_auth`", auth))
	}
	if len(doc.Challenges) > 0 && !slices.Contains(doc.Challenges, "S256") {
		found = append(found, "PKCE by S256 is not announced, so codes are without")
	}
	return found
}

// announced takes what the provider announces.
func announced(r *login.Report, doc *metadata) {
	r.Endpoints = make(map[string]string)
	for name, address := range map[string]string{
		"authorization": doc.Authorization, "token": doc.Token, "userinfo": doc.Userinfo, "jwks": doc.JWKS, "end_session": doc.EndSession,
	} {
		if address != "" {
			r.Endpoints[name] = oauth.PrintableURI(address)
		}
	}
	for _, list := range []struct {
		to   *[]string
		from []string
	}{
		{&r.Scopes, doc.Scopes}, {&r.Claims, doc.Claims}, {&r.ACRs, doc.ACRs}, {&r.ClientAuths, doc.ClientAuths}, {&r.Algorithms, doc.Algorithms}, {&r.Challenges, doc.Challenges},
	} {
		for _, value := range list.from {
			*list.to = append(*list.to, oauth.Printable(value))
		}
	}
	r.NamesIssuer, r.BackChannel, r.FrontChannel = doc.NamesIssuer, doc.BackChannel, doc.FrontChannel
}

var _ login.Reporter = (*OIDC)(nil)
