package oauth

// Trouble is why a gateway should get no requests. The set is closed: anybody
// may see it.
type Trouble string

// The troubles. The empty one is none.
const (
	TroubleStore  Trouble = "store_unavailable" // the store does not answer, or has not been opened yet
	TroubleSecret Trouble = "wrong_secret"      // the store belongs to gateways with another secret
	TroubleIssuer Trouble = "other_issuer"      // the store belongs to another issuer
	TroubleUnsafe Trouble = "store_unsafe"      // the store answers, and may lose what it holds
	TroubleClock  Trouble = "clock_skew"        // this node's clock is off by more than state.MaxClockSkew
)
