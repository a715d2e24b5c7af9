package caddymodule

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// outcomes are those of each kind of event, as closed sets: labels of
// caddy_oauth_events_total, and what docs/events.md lists. What is not in them is
// counted as `other`, and so is a kind without a set: its outcome is a word of
// the configuration.
var outcomes = map[tokens.EventKind][]string{
	tokens.EventTokenIssued:         {"ok"},
	tokens.EventTokenRefused:        reasonNames(),
	tokens.EventRefresh:             slices.DeleteFunc(slices.Clone(refreshOutcomes), func(o string) bool { return o == other }),
	tokens.EventRefreshReuse:        {string(tokens.ReasonReuse)},
	tokens.EventStoreRollback:       {"healed", string(tokens.ReasonGrantUnknown)},
	tokens.EventFamilyEvicted:       {"max_active"},
	tokens.EventCodeIssued:          {"ok"},
	tokens.EventCodeReuse:           {string(tokens.ReasonCodeSpent)},
	tokens.EventDevice:              {"requested", "approved", "denied", "delayed", "wrong_code"},
	tokens.EventRevoked:             {"refresh_token", "access_token", "user", "user_disabled", "client", "everyone", "account"},
	tokens.EventLogin:               {"ok", "failed", "delayed", "busy", "disabled"},
	tokens.EventLogout:              {"ok", "everywhere"},
	tokens.EventClientAuth:          reasonNames(),
	tokens.EventKeyRotated:          algorithmNames(),
	tokens.EventIssuerKeys:          tokens.KeyOutcomes,
	tokens.EventSecretFallback:      {"presented", "signing_keys"},
	tokens.EventStoreNew:            {tokens.StoreEmptied, tokens.StoreBegun, tokens.StoreRemoved, tokens.StoreReplaced},
	tokens.EventStoreTrouble:        append([]string{"open", "close", "signing_keys", "watermarks", "renewal", "feed", "feed_gap", "feed_replaced", guardTrouble}, servedNames()...),
	tokens.EventStoreFailover:       {"other_primary"},
	tokens.EventClockSkew:           {tokens.ClockAhead, tokens.ClockBehind, tokens.ClockAgrees, tokens.ClockSet},
	tokens.EventHealth:              {healthOK, string(tokens.TroubleStore), string(tokens.TroubleSecret), string(tokens.TroubleIssuer), string(tokens.TroubleUnsafe), string(tokens.TroubleClock)},
	tokens.EventBackgroundRecovered: {"denylist", "feed", "history", "heartbeat", "signing_keys", "issuer_keys", "open", "store", "events", "subscriber"},
	tokens.EventAdmin:               {"end_grants", "end_client", "end_everyone", "disable_user", "enable_user", "deny_token", "rotate_keys", "drop_key", "backup", "export", "undo_export", "purge_issuer"},
}

func algorithmNames() []string {
	algorithms := jose.Algorithms()
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	return names
}

// servedNames are the endpoints that report trouble of the store themselves: the
// core reports every refused token request.
func servedNames() []string {
	names := append(handler.EndpointNames(), "openid_configuration", "authorization_server")
	return slices.DeleteFunc(names, func(name string) bool { return name == "token" })
}
