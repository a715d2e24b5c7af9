package caddymodule

import "github.com/gatehouse-auth/gatehouse/tokens"

// The closed sets of metric labels.
var (
	eventKinds = []tokens.EventKind{
		tokens.EventTokenIssued, tokens.EventTokenRefused, tokens.EventRefresh, tokens.EventRefreshReuse,
		tokens.EventStoreRollback, tokens.EventFamilyEvicted, tokens.EventCodeIssued, tokens.EventCodeReuse,
		tokens.EventDevice, tokens.EventRevoked, tokens.EventLogin, tokens.EventLogout, tokens.EventClientAuth, tokens.EventClientCredential, tokens.EventKeyRotated, tokens.EventIssuerKeys,
		tokens.EventSecretFallback, tokens.EventStoreNew, tokens.EventStoreTrouble, tokens.EventBackgroundRecovered, tokens.EventAdmin,
		tokens.EventStoreFailover, tokens.EventClockSkew, tokens.EventHealth,
	}
	grantTypes = []tokens.GrantType{
		tokens.GrantAuthorizationCode, tokens.GrantRefreshToken, tokens.GrantClientCredentials, tokens.GrantDeviceCode,
	}
	reasons = []tokens.Reason{
		tokens.ReasonMalformed, tokens.ReasonUnknownClient, tokens.ReasonBadSecret, tokens.ReasonBadMethod, tokens.ReasonBadAssertion, tokens.ReasonReplayed,
		tokens.ReasonBadRedirect, tokens.ReasonBadOrigin, tokens.ReasonBadVerifier, tokens.ReasonCodeUnknown, tokens.ReasonCodeSpent,
		tokens.ReasonCodeMismatch, tokens.ReasonClientMismatch, tokens.ReasonBadMAC, tokens.ReasonReuse,
		tokens.ReasonExpired, tokens.ReasonUnknown, tokens.ReasonRevoked, tokens.ReasonUserChanged,
		tokens.ReasonOfflineOff, tokens.ReasonGrantUnknown, tokens.ReasonStore, tokens.ReasonBadSignature,
		tokens.ReasonUnknownKey, tokens.ReasonWrongIssuer, tokens.ReasonWrongAudience, tokens.ReasonWrongType,
		tokens.ReasonNotYetValid, tokens.ReasonDenied, tokens.ReasonScope, tokens.ReasonClaim,
		tokens.ReasonRateLimited, tokens.ReasonUnsupportedGrant, tokens.ReasonIssuerKeys, tokens.ReasonStepUp, tokens.ReasonUserDisabled, tokens.ReasonPending,
		tokens.ReasonTooFast, tokens.ReasonPersonDenied,
		tokens.ReasonProof, tokens.ReasonProofMissing, tokens.ReasonProofReplayed, tokens.ReasonProofNonce, tokens.ReasonBinding,
		tokens.ReasonBadCertificate,
	}
	// refreshOutcomes are what became of a refresh token: a row of the decision table, or a reason.
	refreshOutcomes = append([]string{"rotated", "replayed", "kept", "young", "healed", other}, reasonNames()...)
)

func reasonNames() []string {
	names := make([]string, len(reasons))
	for i, r := range reasons {
		names[i] = string(r)
	}
	return names
}
