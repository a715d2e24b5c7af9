package upstream

import (
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// askedLeeway is how much older than asked a sign-in may be: clocks differ (F69).
const askedLeeway = 60 * time.Second

// checkAsked makes sure that somebody came as was asked (H3, F69 to F71).
func checkAsked(who *login.Arrival, d login.Departure) error {
	asked := d.Asked
	notBefore, want := time.Time{}, false
	if asked.HasMaxAge {
		notBefore, want = d.At.Add(-time.Duration(asked.MaxAge)*time.Second), true
	}
	if asked.Again {
		notBefore, want = d.At, true
	}
	if want && who.AuthTime.IsZero() {
		return failed(login.FailedNotMet, reasonAuthTime, fmt.Errorf("checking what was asked: the provider has sent no auth_time"))
	}
	if want && who.AuthTime.Before(notBefore.Add(-askedLeeway)) {
		return failed(login.FailedNotMet, reasonAuthTime,
			fmt.Errorf("checking what was asked: the person has signed in there %s before they were sent", d.At.Sub(who.AuthTime).Round(time.Second)))
	}
	if len(asked.ACRs) > 0 && !slices.Contains(asked.ACRs, who.ACR) {
		return failed(login.FailedNotMet, reasonACR, fmt.Errorf("checking what was asked: the acr is none of those, or is not believed"))
	}
	return nil
}
