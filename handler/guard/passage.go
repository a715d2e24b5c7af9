package guard

import (
	"crypto/sha256"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// proved is what the guards of one request know of its proof: a client sends
// one proof with a request, however many guards stand in its way. The zero
// value is none.
type proved struct {
	what [sha256.Size]byte // of the proof and the token that it came with
	key  jose.Thumbprint
}

// Passage is what the guards of one request share: a request may pass several.
// The zero value is that of a request that has met none. It holds neither proof
// nor token.
type Passage struct {
	proved proved
	taken  identity.Takers
}
