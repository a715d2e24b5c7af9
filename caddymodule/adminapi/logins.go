package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// CheckedLogin is a login at a provider, and what is found there.
type CheckedLogin struct {
	Name string `json:"name"`
	// RedirectURI is what is registered at the provider.
	RedirectURI string `json:"redirect_uri"`
	// BackChannelURI and FrontChannelURI are, too, where it tells of sign-outs.
	BackChannelURI  string `json:"backchannel_logout_uri,omitempty"`
	FrontChannelURI string `json:"frontchannel_logout_uri,omitempty"`
	login.Report
}

// loginList answers GET /oauth/logins.
type loginList struct {
	Logins []CheckedLogin `json:"logins"`
}

// checkLogins asks the providers of all logins, or of one, at once.
func (a *API) checkLogins(c *call) (any, error) {
	var list loginList
	var reporters []login.Reporter
	wanted := c.get("login")
	if wanted != "" {
		if _, err := a.loginNamed(wanted); err != nil {
			return nil, err
		}
	}
	for _, l := range a.Logins {
		if r, ok := l.(login.Reporter); ok && (wanted == "" || wanted == l.Name()) {
			reporters = append(reporters, r)
		}
	}
	if wanted != "" && len(reporters) == 0 {
		return nil, refusal(http.StatusNotFound, errNoProvider)
	}
	list.Logins = make([]CheckedLogin, len(reporters))
	var asked sync.WaitGroup
	for i, r := range reporters {
		asked.Go(background.Safely(nil, func() {
			l := CheckedLogin{Name: r.Name(), RedirectURI: a.placeOf("callback", r.Name()), Report: r.Report(c.Context())}
			if l.BackChannel {
				l.BackChannelURI = a.placeOf("backchannel-logout", l.Name)
			}
			if l.FrontChannel {
				l.FrontChannelURI = a.placeOf("frontchannel-logout", l.Name)
			}
			list.Logins[i] = l
		}))
	}
	asked.Wait()
	return list, nil
}

var errNoProvider = errors.New("this login is at no provider: people sign in to it at this server. Name one that is at one, as `caddy oauth logins check` lists them")

// placeOf is the address of an endpoint that each login has, to be registered at its provider.
func (a *API) placeOf(endpoint, name string) string {
	return strings.TrimSuffix(a.Issuer.Config().Issuer, "/") + "/" + endpoint + "/" + name
}

func showLogins(p *Printer, _ url.Values, list loginList) {
	if len(list.Logins) == 0 {
		p.Printf("no login is at somebody else's provider\n")
	}
	for i, l := range list.Logins {
		if i > 0 {
			p.Printf("\n")
		}
		rows := [][]string{{"login", l.Name}, {"issuer", l.Issuer}, {"redirect URI", l.RedirectURI}, {"reached", yesNo(l.Discovered)}}
		for _, word := range []string{"authorization", "token", "userinfo", "jwks", "end_session"} {
			if address := l.Endpoints[word]; address != "" {
				rows = append(rows, []string{word, address})
			}
		}
		for _, list := range []struct {
			name   string
			values []string
		}{
			{"keys", l.Keys}, {"algorithms", l.Algorithms}, {"client_auth", l.ClientAuths}, {"PKCE", l.Challenges}, {"scopes", l.Scopes}, {"claims", l.Claims}, {"acr", l.ACRs},
		} {
			if len(list.values) > 0 {
				rows = append(rows, []string{list.name, strings.Join(list.values, ", ")})
			}
		}
		if l.Discovered {
			rows = append(rows, []string{"iss in answers", yesNo(l.NamesIssuer)}, []string{"tells of sign-outs", signOuts(l.Report)})
			for _, uri := range []struct{ name, value string }{{"back-channel URI", l.BackChannelURI}, {"front-channel URI", l.FrontChannelURI}} {
				if uri.value != "" {
					rows = append(rows, []string{uri.name, uri.value})
				}
			}
			rows = append(rows, []string{"clock", l.Clock()})
		}
		if l.Trouble != "" {
			rows = append(rows, []string{"TROUBLE", l.Trouble})
		}
		for _, problem := range l.Problems {
			rows = append(rows, []string{"PROBLEM", problem})
		}
		for _, note := range l.Notes {
			rows = append(rows, []string{"note", note})
		}
		p.Table(rows)
	}
}

// loginsFailed names the logins at whose providers people cannot sign in.
func loginsFailed(answer json.RawMessage) error {
	var list loginList
	if err := json.Unmarshal(answer, &list); err != nil {
		return fmt.Errorf("reading the answer of the admin API: %w", err)
	}
	var failed []string
	for _, l := range list.Logins {
		if l.Trouble != "" || len(l.Problems) > 0 {
			failed = append(failed, l.Name)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("nobody may be able to sign in by %s", strings.Join(failed, ", "))
	}
	return nil
}

// signOuts says how a provider tells of sign-outs.
func signOuts(r login.Report) string {
	switch {
	case r.BackChannel && r.FrontChannel:
		return "by back channel and front channel"
	case r.BackChannel:
		return "by back channel"
	case r.FrontChannel:
		return "by front channel"
	}
	return "no"
}
