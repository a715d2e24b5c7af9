package oauth

import (
	"maps"
	"slices"
)

// paramLimits are how long the parameters of a request may be, in bytes. RFC 6749
// §3.1 and OpenID Connect name no bounds; these are well above what the known
// clients send, and what is kept of a request (in a code, a cookie, a grant) is
// small by them. What carries a MAC of ours or a signature (code, refresh_token,
// device_code, token, client_assertion) is not here: it has a bound of its own,
// and beyond that is refused as unknown. Nothing else is read.
var paramLimits = map[string]int{
	"acr_values": 512, "audience": 2048, "claims": 4096, "claims_locales": 512,
	"client_assertion_type": 128, "client_id": 1024, "client_secret": 1024, "code_challenge": 128, "connection": 64,
	"code_challenge_method": 64, "code_verifier": 128, "display": 64, "dpop_jkt": 128, "grant_type": 128, "id_token_hint": MaxTokenBytes, "login_hint": 1024, "logout_hint": 1024,
	"max_age": 32, "nonce": 1024, "post_logout_redirect_uri": 2048, "prompt": 128, "redirect_uri": 2048,
	"registration": 4096, "request_uri": 2048, "resource": 2048, "response_mode": 64,
	"response_type": 128, "returnTo": 2048, "scope": 2048, "state": 2048,
	"token_type_hint": 64, "ui_locales": 512, "user_code": 64,
}

// maxResources is how often `resource` may be given: once for each API. See RFC 8707 §2.
const maxResources = 32

// ParamLimits returns how long each parameter may be, in bytes, by its name.
func ParamLimits() map[string]int { return maps.Clone(paramLimits) }

// CheckParams refuses a request with a parameter that is longer than it may be,
// however often that is given. The error names the parameter.
func CheckParams(params map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(params)) { // one error for one request
		limit, known := paramLimits[name]
		if !known {
			continue
		}
		if name == "resource" && len(params[name]) > maxResources {
			return BadRequest("The parameter resource is given more than %d times.", maxResources)
		}
		if slices.ContainsFunc(params[name], func(v string) bool { return len(v) > limit }) {
			return BadRequest("The parameter %s is longer than %d bytes.", name, limit)
		}
	}
	return nil
}

// ParamFits reports whether a value is within the bound of its parameter. No value of an
// unknown parameter is, but the empty one.
func ParamFits(name, value string) bool { return len(value) <= paramLimits[name] }

// MaxTokenBytes is the longest token that is looked at, unless its issuer is
// configured to make longer ones.
const MaxTokenBytes = 8 << 10
