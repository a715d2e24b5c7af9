package tokens

import "context"

// EventKind is what happened: the part of a Caddy event's name behind "oauth.".
type EventKind string

// The kinds of event. The set is closed: each is a metric label and an event name.
const (
	EventTokenIssued         EventKind = "token_issued"
	EventTokenRefused        EventKind = "token_refused"
	EventRefresh             EventKind = "refresh"
	EventRefreshReuse        EventKind = "refresh_reuse_detected"
	EventStoreRollback       EventKind = "store_rollback"
	EventFamilyEvicted       EventKind = "family_evicted"
	EventCodeIssued          EventKind = "code_issued"
	EventCodeReuse           EventKind = "code_reuse_detected"
	EventDevice              EventKind = "device"
	EventRevoked             EventKind = "revoked"
	EventLogin               EventKind = "login"
	EventLogout              EventKind = "logout"
	EventClientAuth          EventKind = "client_auth"
	EventClientCredential    EventKind = "client_credential_used"
	EventKeyRotated          EventKind = "key_rotated"
	EventIssuerKeys          EventKind = "issuer_keys"
	EventSecretFallback      EventKind = "secret_fallback"
	EventStoreNew            EventKind = "store_new"
	EventStoreTrouble        EventKind = "store_trouble"
	EventStoreFailover       EventKind = "store_failover"
	EventClockSkew           EventKind = "clock_skew"
	EventHealth              EventKind = "health"
	EventBackgroundRecovered EventKind = "background_recovered"
	EventAdmin               EventKind = "admin"
)

// Event is one decision of the core. It holds no secret, code or token.
type Event struct {
	Kind      EventKind
	Outcome   string // of a closed set: "ok", "rotated", "replayed", … or a Reason
	GrantType GrantType
	Client    string // a configured client_id, or "" (never what a request claimed)
	Subject   string
	User      UserTag
	Family    FamilyID
	Issuer    string // a configured other issuer, with EventIssuerKeys
	About     string // what else tells one from another in a flood, such as the name that was typed; it is never told
	Cause     error
}

// Observer hears what happened. Metrics, events and log lines are written
// behind it, in one place. It must be fast and must not block.
type Observer interface {
	// Happened reports one decision.
	Happened(ctx context.Context, e Event)
	// Checked counts one verdict of the token check on a guarded route. It is
	// on the hot path and must not allocate. The reason is "" for a pass.
	Checked(reason Reason)
}

// NopObserver ignores everything.
type NopObserver struct{}

// Happened does nothing.
func (NopObserver) Happened(context.Context, Event) {}

// Checked does nothing.
func (NopObserver) Checked(Reason) {}
