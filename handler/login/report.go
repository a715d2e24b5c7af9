package login

import (
	"context"
	"time"
)

// Reporter is a Login that can say what it finds at its provider.
type Reporter interface {
	Login
	// Report asks the provider anew, for at most ten seconds. It changes nothing
	// that people sign in by.
	Report(ctx context.Context) Report
}

// Report is what a Login finds at its provider. It holds no secret.
type Report struct {
	Issuer     string `json:"issuer"`
	Discovered bool   `json:"discovered"` // its document was had now, or is none that is needed
	// Trouble is why nobody can sign in here just now, by what was known before, "" for
	// nothing; and Problems are why nobody can by what was found now.
	Trouble  string   `json:"trouble,omitempty"`
	Problems []string `json:"problems,omitempty"`
	// Notes are what is configured and not announced: it may work all the same.
	Notes []string `json:"notes,omitempty"`
	// Keys are the keys that can verify ID tokens: ID and algorithm of each.
	Keys []string `json:"keys,omitempty"`
	// ClockAhead is by how many seconds its clock is ahead of ours.
	ClockAhead int64 `json:"clock_ahead"`
	// What it announces (OpenID Connect Discovery §3).
	Endpoints    map[string]string `json:"endpoints,omitempty"` // by their words in the configuration
	Scopes       []string          `json:"scopes,omitempty"`
	Claims       []string          `json:"claims,omitempty"`
	ACRs         []string          `json:"acrs,omitempty"`
	ClientAuths  []string          `json:"client_auths,omitempty"`
	Algorithms   []string          `json:"algorithms,omitempty"`
	Challenges   []string          `json:"challenges,omitempty"` // of PKCE
	NamesIssuer  bool              `json:"names_issuer"`         // iss in its answers (RFC 9207)
	BackChannel  bool              `json:"back_channel_logout"`  // it tells of sign-outs
	FrontChannel bool              `json:"front_channel_logout"`
}

// Clock says how its clock differs from ours.
func (r Report) Clock() string {
	ahead := time.Duration(r.ClockAhead) * time.Second
	if ahead < 0 {
		return (-ahead).String() + " behind ours"
	}
	return ahead.String() + " ahead of ours"
}
