package adminapi

import (
	"net/url"
	"strconv"
	"time"
)

// WaitingLogout is a sign-out that an application has still to be told of.
type WaitingLogout struct {
	Client  string    `json:"client,omitempty"` // absent for one that is not told any more
	User    string    `json:"user"`             // the hash of the subject, as in the log
	Session string    `json:"session"`          // as `sid` of its ID tokens names it
	Since   time.Time `json:"since"`
	Next    time.Time `json:"next"`
	Tries   int       `json:"tries"` // that have failed
}

// logoutList answers GET /oauth/logouts.
type logoutList struct {
	Logouts []WaitingLogout `json:"logouts"`
	Dropped int             `json:"dropped"` // given up by this process since it started
}

func (a *API) listLogouts(c *call) (any, error) {
	waiting, err := a.Operator.Logouts(c.Context())
	if err != nil {
		return nil, err
	}
	list := logoutList{Logouts: make([]WaitingLogout, 0, len(waiting)), Dropped: a.Dropped()}
	for _, l := range waiting {
		list.Logouts = append(list.Logouts, WaitingLogout{
			Client: l.Client, User: l.User.String(), Session: l.Session.String(), Since: l.Since.UTC(), Next: l.Next.UTC(), Tries: l.Tries,
		})
	}
	return list, nil
}

func showLogouts(p *Printer, _ url.Values, l logoutList) {
	if l.Dropped > 0 {
		defer p.Note("%d more were given up since this server started: `oauth.logout_sent` in its log says why", l.Dropped)
	}
	if len(l.Logouts) == 0 {
		p.Printf("no application has still to be told of a sign-out\n")
		return
	}
	rows := [][]string{{"CLIENT", "USER", "SINCE", "FAILED", "NEXT TRY"}}
	for _, w := range l.Logouts {
		client := w.Client
		if client == "" {
			client = "(not told any more)"
		}
		rows = append(rows, []string{client, w.User, w.Since.Format(time.RFC3339), strconv.Itoa(w.Tries), w.Next.Format(time.RFC3339)})
	}
	p.Table(rows)
}
