package events

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// checkSubscriptions refuses an event of ours that there is not: an alarm with a
// slip in its name would be silent for ever.
func checkSubscriptions(subscriptions []*caddyevents.Subscription) error {
	for _, s := range subscriptions {
		if s == nil {
			continue // Caddy says what is wrong with it
		}
		for _, name := range s.Events {
			kind, ours := strings.CutPrefix(name, "oauth.")
			if ours && !slices.Contains(oauth.EventKinds(), oauth.EventKind(kind)) {
				return fmt.Errorf("events: on %s: there is no such event: write one of %s", name, EventNames())
			}
		}
	}
	return nil
}

// EventNames lists all events as operators write them.
func EventNames() string {
	names := make([]string, 0, len(oauth.EventKinds()))
	for _, kind := range oauth.EventKinds() {
		names = append(names, "oauth."+string(kind))
	}
	return strings.Join(names, ", ")
}
