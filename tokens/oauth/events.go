package oauth

import (
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// EventKind is what happened: the part of a Caddy event's name behind "oauth.".
type EventKind string

// The kinds of event. The set is closed: each is a metric label and an event name.
const (
	EventTokenIssued   EventKind = "token_issued"
	EventTokenRefused  EventKind = "token_refused"
	EventRefresh       EventKind = "refresh"
	EventRefreshReuse  EventKind = "refresh_reuse_detected"
	EventStoreRollback EventKind = "store_rollback"
	EventFamilyEvicted EventKind = "family_evicted"
	EventCodeIssued    EventKind = "code_issued"
	EventCodeReuse     EventKind = "code_reuse_detected"
	EventDevice        EventKind = "device"
	// EventConsent is that a person has agreed to what a client asks for, has refused it, or that it was withdrawn.
	EventConsent     EventKind = "consent"
	EventRevoked     EventKind = "revoked"
	EventLogin       EventKind = "login"
	EventRecheck     EventKind = "recheck"
	EventLogout      EventKind = "logout"
	EventSiteSession EventKind = "site_session" // a person has signed in to a site
	// EventLogoutSent is that an application was told of a sign-out, or was not.
	EventLogoutSent EventKind = "logout_sent"
	// EventLoginBroken is that nobody, or somebody, cannot sign in by a provider until an
	// operator acts, and that it is over.
	EventLoginBroken      EventKind = "login_broken"
	EventClientAuth       EventKind = "client_auth"
	EventClientCredential EventKind = "client_credential_used"
	// EventClientRegistered is that a client has registered itself. Nothing is kept of it.
	EventClientRegistered EventKind = "client_registered"
	// EventClientDocument is that the metadata of a client was fetched, or could not be.
	EventClientDocument EventKind = "client_document"
	// EventIntrospectionRefused is that a client asked about a token that is good and
	// none of its business.
	EventIntrospectionRefused EventKind = "introspection_refused"
	EventRequestRefused       EventKind = "request_refused"
	EventAccessRefused        EventKind = "access_refused"
	// EventStreamEnded is that a request under way was ended with what had let it in.
	EventStreamEnded         EventKind = "stream_ended"
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

// Outcome is what came of it: one of those of its kind, see EventKind.Outcomes. A
// refusal has a Reason for its outcome.
type Outcome string

// OutcomeOK is that of what has succeeded, and of a gateway that is healthy.
const OutcomeOK Outcome = "ok"

// The outcomes of EventRefresh, beside the reasons, and of EventStoreRollback.
const (
	OutcomeRotated  Outcome = "rotated"
	OutcomeReplayed Outcome = "replayed" // the same answer again, within the leeway
	OutcomeKept     Outcome = "kept"     // the client's tokens do not rotate
	OutcomeYoung    Outcome = "young"    // too young to rotate once more
	OutcomeHealed   Outcome = "healed"   // the store had lost a rotation
	OutcomeSpared   Outcome = "spared"   // of EventRefreshReuse: that token is refused, and the sign-in lives
)

// OutcomeWithoutPKCE is that of EventCodeIssued where the client has sent no challenge.
const OutcomeWithoutPKCE Outcome = "without_pkce"

// OutcomeKey is that of EventSiteSession for an app key.
const OutcomeKey Outcome = "key"

// OutcomeMaxActive is that of EventFamilyEvicted: one login more than `max_active`.
const OutcomeMaxActive Outcome = "max_active"

// The outcomes of EventDevice.
const (
	OutcomeRequested Outcome = "requested"
	OutcomeApproved  Outcome = "approved"
	OutcomeDenied    Outcome = "denied"
	OutcomeDelayed   Outcome = "delayed" // of EventLogin, too
	OutcomeWrongCode Outcome = "wrong_code"
)

// The outcomes of EventConsent, beside OutcomeDenied.
const (
	OutcomeGiven     Outcome = "given"
	OutcomeWithdrawn Outcome = "withdrawn"
)

// The outcomes of EventRevoked: what was revoked, or by whom.
const (
	OutcomeRefreshToken Outcome = "refresh_token"
	OutcomeAccessToken  Outcome = "access_token"
	OutcomeUser         Outcome = "user"
	OutcomeUserDisabled Outcome = "user_disabled"
	OutcomeClient       Outcome = "client"
	OutcomeEveryone     Outcome = "everyone"
	OutcomeAccount      Outcome = "account"
	OutcomeRegistered   Outcome = "registered" // all clients that have registered themselves
)

// The outcomes of EventLogin and EventLogout.
const (
	OutcomeFailed   Outcome = "failed"
	OutcomeBusy     Outcome = "busy"
	OutcomeDisabled Outcome = "disabled"
	// Those of a sign-in at a provider.
	OutcomeProviderDown   Outcome = "provider_down"
	OutcomeProviderBroken Outcome = "provider_broken" // the provider refuses this gateway: an operator has to act
	OutcomeCancelled      Outcome = "cancelled"       // by the person
	OutcomeExpired        Outcome = "expired"         // begun again
	OutcomeNotAllowed     Outcome = "not_allowed"     // by the allow lines
	OutcomeNotMet         Outcome = "not_met"         // not with the prompt, max_age or acr_values asked for
	OutcomeEverywhere     Outcome = "everywhere"
	OutcomeReplaced       Outcome = "replaced" // by the sign-in of another person in the same browser
	OutcomeDropped        Outcome = "dropped"  // of EventLogoutSent: it will not be tried again
)

// The outcomes of EventRecheck, beside OutcomeKept and OutcomeNotAllowed: what became of
// a question to a provider about a person who is signed in.
const (
	OutcomeThin     Outcome = "thin"     // the login is good, nothing is said of the person or their groups
	OutcomeGone     Outcome = "gone"     // the login is over there, and so it is here
	OutcomeDoubtful Outcome = "doubtful" // it seems over, but a check before was cut off: nothing ends, and it is asked no more
	OutcomeUnclear  Outcome = "unclear"  // no answer that is about the person
	OutcomeLost     Outcome = "lost"     // another node was faster, or the login has ended meanwhile
	OutcomeSkipped  Outcome = "skipped"  // too many at once
	OutcomeOverdue  Outcome = "overdue"  // could not be checked for too long: a refresh token has ended
)

// The outcomes of EventLoginBroken, beside OutcomeOK: why nobody, or somebody, can
// sign in by a provider.
const (
	LoginNoDiscovery   Outcome = "no_discovery"   // its metadata cannot be had, or not be used
	LoginOtherIssuer   Outcome = "other_issuer"   // its metadata names another issuer than before
	LoginClientRefused Outcome = "client_refused" // it refuses this gateway: a secret has run out
	LoginBadIDToken    Outcome = "bad_id_token"   // its token endpoint has answered with one that is not good
	LoginTooLarge      Outcome = "too_large"      // somebody's claims are too large to be kept
)

// The outcomes of EventSecretFallback: what an older secret was needed for.
const (
	OutcomePresented   Outcome = "presented"
	OutcomeSigningKeys Outcome = "signing_keys" // of EventStoreTrouble and EventBackgroundRecovered, too
)

// The outcomes of EventIssuerKeys: what became of a fetch of another issuer's keys.
const (
	KeysUnchanged   Outcome = "unchanged"
	KeysChanged     Outcome = "changed"     // there is a new set
	KeysUnreachable Outcome = "unreachable" // the set before is kept
	KeysRefused     Outcome = "refused"     // what came is no set to trust; the one before is kept
	KeysStale       Outcome = "stale"       // the set before is too old to be trusted any more
	KeysNotKept     Outcome = "not_kept"    // what keeps the set from one run to the next has failed
)

// The outcomes of EventClientDocument: what became of a fetch of a client's metadata.
const (
	DocumentUnchanged   Outcome = "unchanged"
	DocumentChanged     Outcome = "changed"     // it is new, or another one than before
	DocumentUnreachable Outcome = "unreachable" // the one before is kept
	DocumentRefused     Outcome = "refused"     // what came is not good: the client is unknown
	DocumentGone        Outcome = "gone"        // the host has none any more: the client is unknown
	DocumentNotKept     Outcome = "not_kept"    // the store has failed
)

// The outcomes of EventStoreNew.
const (
	StoreEmptied  Outcome = "emptied"  // a store that was open has lost its birth mark
	StoreBegun    Outcome = "begun"    // one that must have been there was not
	StoreRemoved  Outcome = "removed"  // its file was removed while it was open
	StoreReplaced Outcome = "replaced" // another file is in its place
)

// OutcomeOtherPrimary is that of EventStoreFailover.
const OutcomeOtherPrimary Outcome = "other_primary"

// The outcomes of EventClockSkew.
const (
	ClockAhead  Outcome = "ahead"
	ClockBehind Outcome = "behind"
	ClockAgrees Outcome = "agrees" // again
	ClockSet    Outcome = "set"    // the store's own time has jumped
)

// The outcomes of EventStoreTrouble, which is also reported by the endpoints, under
// their names, and of EventBackgroundRecovered: what was at work.
const (
	OutcomeOpen         Outcome = "open"
	OutcomeClose        Outcome = "close"
	OutcomeGuard        Outcome = "guard"
	OutcomeWatermarks   Outcome = "watermarks"
	OutcomeRenewal      Outcome = "renewal"
	OutcomeFeed         Outcome = "feed"
	OutcomeFeedGap      Outcome = "feed_gap"
	OutcomeFeedReplaced Outcome = "feed_replaced"
	OutcomeDenylist     Outcome = "denylist"
	OutcomeHistory      Outcome = "history"
	OutcomeHeartbeat    Outcome = "heartbeat"
	OutcomeUnanswered   Outcome = "unanswered"
	OutcomeIssuerKeys   Outcome = "issuer_keys"
	OutcomeStore        Outcome = "store"
	OutcomeRecheck      Outcome = "recheck"
	OutcomeEvents       Outcome = "events"
	OutcomeSubscriber   Outcome = "subscriber"
	OutcomeProvider     Outcome = "provider"
	OutcomeLogouts      Outcome = "logouts"
	OutcomeStreams      Outcome = "streams"

	OutcomeClientDocuments Outcome = "client_documents"
)

// outcomes are those of each kind. Every pair is a metric label.
var outcomes = map[EventKind][]Outcome{
	EventTokenIssued:   {OutcomeOK},
	EventTokenRefused:  outcomesOf(Reasons),
	EventRefresh:       append([]Outcome{OutcomeRotated, OutcomeReplayed, OutcomeKept, OutcomeYoung, OutcomeHealed}, outcomesOf(Reasons)...),
	EventRefreshReuse:  {Outcome(ReasonReuse), OutcomeSpared},
	EventStoreRollback: {OutcomeHealed, Outcome(ReasonGrantUnknown)},
	EventFamilyEvicted: {OutcomeMaxActive},
	EventCodeIssued:    {OutcomeOK, OutcomeWithoutPKCE},
	EventCodeReuse:     {Outcome(ReasonCodeSpent)},
	EventDevice:        {OutcomeRequested, OutcomeApproved, OutcomeDenied, OutcomeDelayed, OutcomeWrongCode},
	EventConsent:       {OutcomeGiven, OutcomeDenied, OutcomeWithdrawn},
	EventRevoked:       {OutcomeRefreshToken, OutcomeAccessToken, OutcomeUser, OutcomeUserDisabled, OutcomeClient, OutcomeEveryone, OutcomeAccount, OutcomeRegistered},
	EventLogin: {
		OutcomeOK, OutcomeFailed, OutcomeDelayed, OutcomeBusy, OutcomeDisabled,
		OutcomeProviderDown, OutcomeProviderBroken, OutcomeCancelled, OutcomeExpired, OutcomeNotAllowed, OutcomeNotMet,
	},
	EventRecheck: {
		OutcomeKept, OutcomeThin, OutcomeGone, OutcomeNotAllowed, OutcomeDoubtful, OutcomeUnclear, OutcomeLost, OutcomeSkipped, OutcomeOverdue,
	},
	EventLogout:               {OutcomeOK, OutcomeEverywhere, OutcomeProvider, OutcomeReplaced},
	EventSiteSession:          {OutcomeOK, OutcomeKey},
	EventLogoutSent:           {OutcomeOK, OutcomeFailed, OutcomeDropped},
	EventLoginBroken:          {OutcomeOK, LoginNoDiscovery, LoginOtherIssuer, LoginClientRefused, LoginBadIDToken, LoginTooLarge},
	EventClientAuth:           outcomesOf(Reasons),
	EventClientRegistered:     {OutcomeOK},
	EventClientDocument:       {DocumentUnchanged, DocumentChanged, DocumentUnreachable, DocumentRefused, DocumentGone, DocumentNotKept},
	EventClientCredential:     nil, // a word of the configuration and a number
	EventIntrospectionRefused: {Outcome(ReasonWrongAudience), Outcome(ReasonClientMismatch)},
	EventRequestRefused:       outcomesOf(Reasons),
	EventAccessRefused:        outcomesOf(Reasons),
	EventStreamEnded:          outcomesOf(Reasons),
	EventKeyRotated:           {"ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"}, // jose.Algorithms
	EventIssuerKeys:           {KeysUnchanged, KeysChanged, KeysUnreachable, KeysRefused, KeysStale, KeysNotKept},
	EventSecretFallback:       {OutcomePresented, OutcomeSigningKeys},
	EventStoreNew:             {StoreEmptied, StoreBegun, StoreRemoved, StoreReplaced},
	EventStoreTrouble: {
		OutcomeOpen, OutcomeClose, OutcomeSigningKeys, OutcomeWatermarks, OutcomeRenewal, OutcomeFeed, OutcomeFeedGap, OutcomeFeedReplaced, OutcomeGuard,
		"authorize", "login", "consent", "activate", "device_code", "refresh", "revoke", "register", "introspect", "userinfo", "logout", "auth0_logout", "backchannel_logout", "frontchannel_logout",
		"account", "app_keys", "health", "jwks", "openid_configuration", "authorization_server", // token requests are refused with a reason
	},
	EventStoreFailover: {OutcomeOtherPrimary},
	EventClockSkew:     {ClockAhead, ClockBehind, ClockAgrees, ClockSet},
	EventHealth:        append([]Outcome{OutcomeOK}, outcomesOf([]Trouble{TroubleStore, TroubleSecret, TroubleIssuer, TroubleUnsafe, TroubleClock})...),
	EventBackgroundRecovered: {
		OutcomeDenylist, OutcomeFeed, OutcomeHistory, OutcomeHeartbeat, OutcomeUnanswered, OutcomeSigningKeys, OutcomeIssuerKeys,
		OutcomeOpen, OutcomeStore, OutcomeEvents, OutcomeSubscriber, OutcomeProvider, OutcomeRecheck, OutcomeLogouts, OutcomeStreams, OutcomeClientDocuments,
	},
	EventAdmin: {
		"end_grants", "end_client", "unblock_client", "end_registered", "end_everyone", "withdraw_consent", "disable_user", "enable_user", "move_user", "rebind_login", "deny_token", "rotate_keys", "drop_key",
		"backup", "export", "undo_export", "purge_issuer",
	},
}

func outcomesOf[W ~string](words []W) []Outcome {
	outcomes := make([]Outcome, len(words))
	for i, w := range words {
		outcomes[i] = Outcome(w)
	}
	return outcomes
}

// EventKinds returns all kinds, in order.
func EventKinds() []EventKind { return slices.Sorted(maps.Keys(outcomes)) }

// Outcomes returns what an event of this kind can come to: a closed set of metric
// labels. It is nil for EventClientCredential, whose outcome names a credential
// in the configuration.
func (k EventKind) Outcomes() []Outcome { return outcomes[k] }

// Reasons are all there are.
var Reasons = []Reason{
	ReasonMalformed, ReasonUnknownClient, ReasonBadSecret, ReasonBadMethod, ReasonBadAssertion, ReasonReplayed,
	ReasonBadRedirect, ReasonBadOrigin, ReasonBadVerifier, ReasonCodeUnknown, ReasonCodeSpent,
	ReasonCodeMismatch, ReasonClientMismatch, ReasonBadMAC, ReasonReuse,
	ReasonExpired, ReasonUnknown, ReasonRevoked, ReasonUserChanged, ReasonProviderOverdue, ReasonNotAllowed,
	ReasonOfflineOff, ReasonGrantUnknown, ReasonStore, ReasonBadSignature,
	ReasonUnknownKey, ReasonWrongIssuer, ReasonWrongAudience, ReasonWrongType,
	ReasonNotYetValid, ReasonDenied, ReasonScope, ReasonClaim,
	ReasonRateLimited, ReasonUnsupportedGrant, ReasonIssuerKeys, ReasonStepUp, ReasonUserDisabled, ReasonPending,
	ReasonTooFast, ReasonPersonDenied,
	ReasonProof, ReasonProofMissing, ReasonProofReplayed, ReasonProofNonce, ReasonBinding,
	ReasonBadCertificate, ReasonNoPKCE, ReasonNoToken, ReasonTokenHeader, ReasonTooLarge, ReasonBlocked, ReasonClientDocument,
}

// Event is one decision of the core. It holds no secret, code or token.
type Event struct {
	Kind      EventKind
	Outcome   Outcome
	GrantType GrantType
	Client    string // a configured client_id, one that this gateway has made, or the URL of metadata that is admitted; or ""
	Subject   string
	// NewSubject is another one of the same person, with EventAdmin.
	NewSubject string
	User       storage.UserTag
	Family     storage.FamilyID
	Issuer     string // a configured other issuer, with EventIssuerKeys
	Login      string // a configured login, with EventLoginBroken, EventRecheck and EventAdmin
	API        string // that a guarded route is for, with EventAccessRefused
	Endpoint   string // by its name in the route table, with EventRequestRefused
	About      string // what else tells one from another in a flood, such as the name that was typed; it is never told
	Mismatch   *Mismatch
	Cause      error
}
