package adminapi

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
)

// Explanation is what became of a family, and why.
type Explanation struct {
	ClientName

	Family  string        `json:"family"`
	Subject string        `json:"subject,omitempty"`
	Verdict admin.Verdict `json:"verdict"`
	Meaning string        `json:"meaning"`
	Grant   *Grant        `json:"grant,omitempty"`  // while it lives
	Rights  []Right       `json:"rights,omitempty"` // the rules that bear on its tokens
	Events  []happening   `json:"events"`
}

// happening is one line of a family's history.
type happening struct {
	Time      time.Time    `json:"time"`
	Event     history.Kind `json:"event"`
	By        string       `json:"by,omitempty"`
	Address   string       `json:"address,omitempty"`
	Device    string       `json:"device,omitempty"`
	RequestID string       `json:"request_id,omitempty"`
	Late      string       `json:"late,omitempty"` // how long after the token that came was replaced
}

// meanings says in words what a verdict is.
var meanings = map[admin.Verdict]string{
	admin.VerdictAlive:         "it lives, and nothing unusual has happened",
	admin.VerdictTabRace:       "it lives; two callers, such as two tabs, refreshed at the same moment, and both were answered",
	admin.VerdictLostResponse:  "an answer to a refresh was lost, so the application came with the token before; within the leeway it was answered again, later the family was ended",
	admin.VerdictTheft:         "a token that was already used came from another place or device than the last one: one of the two is not the owner, and the family was ended",
	admin.VerdictStoreRollback: "it lives; the store had lost a write, most likely in a failover, and was brought forward",
	admin.VerdictExpired:       "it had reached its idle or absolute end",
	admin.VerdictEvicted:       "the user signed in once more than max_active allows, and this was the oldest",
	admin.VerdictEnded:         "it was ended; the last event says by whom, or that the browser's next sign-in has replaced it",
	admin.VerdictUserChanged:   "the user was removed or disabled, or has a new password",
	admin.VerdictNotAllowed:    "it lives, and is not answered while the user is in no group that the client is for",
	admin.VerdictClientEnded:   "everything of its client was ended",
	admin.VerdictUnknown:       "it is gone, and no event says why: perhaps it expired unused",
}

func (a *API) explain(c *call) (any, error) {
	e, found, err := a.Operator.Explain(c.Context(), c.name)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, refusal(http.StatusNotFound, errors.New("nothing is known of this id. By a `request_id` of the log this node finds "+
			"what is in a history, and what it has served lately; the log line of the request names its `family`, which works as long as that "+
			"lives, and for 30 days after its end"))
	}
	answer := Explanation{
		ClientName: describeClient(e.Client), Family: e.Family.String(), Subject: e.Subject, Verdict: e.Verdict, Meaning: meanings[e.Verdict],
		Events: make([]happening, 0, len(e.History)),
	}
	if e.Live != nil {
		grant := describeGrant(*e.Live, e.Client)
		answer.Grant = &grant
	}
	for _, r := range e.Rights {
		right := describeRight(r.Right)
		right.Granted = &r.Granted
		answer.Rights = append(answer.Rights, right)
	}
	for _, h := range e.History {
		one := happening{Time: h.Time.UTC(), Event: h.Kind, By: h.By, Address: h.Address, Device: h.Device, RequestID: h.Request}
		if h.Kind == history.Replayed {
			one.Late = h.Age.String()
		}
		answer.Events = append(answer.Events, one)
	}
	return answer, nil
}

func showExplanation(p *Printer, _ url.Values, e Explanation) {
	rows := [][]string{{"family", e.Family}, {"subject", cmp.Or(e.Subject, "forgotten")}, {"client", cmp.Or(e.Client, "unknown")}}
	if label := e.label(); label != "-" {
		rows = append(rows, []string{"name", label})
	}
	if e.Grant != nil {
		rows = append(rows, []string{"last used", stamp(e.Grant.LastUsed)}, []string{"ends unused", stamp(e.Grant.IdleExpires)}, []string{"ends", stamp(e.Grant.Expires)})
	}
	p.Table(rows)
	p.Printf("\n%s: %s\n", e.Verdict, e.Meaning)
	showRights(p, e.Rights)
	p.Printf("\n")
	if len(e.Events) == 0 {
		p.Printf("no event is known any more: a history is kept for 30 days after the last use\n")
		return
	}
	rows = [][]string{{"TIME", "EVENT", "BY", "FROM", "DEVICE", "REQUEST"}}
	for _, h := range e.Events {
		rows = append(rows, []string{stamp(h.Time), string(h.Event), cmp.Or(h.By, h.Late, "-"), cmp.Or(h.Address, "-"), cmp.Or(h.Device, "-"), h.RequestID})
	}
	p.Table(rows)
}
