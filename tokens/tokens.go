// Package tokens is the OAuth core of Gatehouse: plain values in, plain values
// or a typed *Error out. It knows no HTTP, no Caddy and no database.
//
// An Issuer is one configuration of the authorization server over a State,
// which reloads share: the Store, the signing keys (Ring), the Denylist and
// the Cache of verified tokens. Every grant goes the same way: authenticate
// the client, validate what can be refused without the store, let one atomic
// store call decide, then mint.
//
// Where to look:
//
//	authorize.go, login_step.go   the authorization request (RFC 6749 §4.1.1)
//	code.go                       its answer and the code grant (RFC 6749 §4.1.3)
//	refresh.go, family.go         refresh tokens and the rotation table (RFC 6749 §6, RFC 9700 §4.14)
//	references.go                 the text of refresh tokens, codes and session cookies
//	clientcredentials.go          the client credentials grant (RFC 6749 §4.4)
//	clientauth.go,
//	clientassertion.go            who the client is: secrets, private_key_jwt (RFC 6749 §2.3, RFC 7523)
//	mint.go                       access tokens (RFC 9068) and ID tokens
//	keys.go, jose/                signing keys, and the only import of the JOSE library
//	precheck.go, claims.go,
//	verify.go, cache.go           reading access tokens, strictly, and once
//	denylist.go                   what is revoked (RFC 7009), and how old an answer may be
//	store.go                      what a store must do; storetest holds it to that
package tokens
