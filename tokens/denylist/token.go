package denylist

import (
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Token is what a Denylist needs to know of an access token. Those who check one
// again and again keep its Token: it remembers, in one word, what was found out last.
type Token struct {
	stamp    atomic.Uint64     // Denylist.stamp of what it knew last about User
	IssuedAt time.Time         // iat; zero when absent
	Client   storage.ClientTag // TagClient of its client_id
	User     storage.UserTag   // TagSubject of its sub

	TokenID    storage.TokenID // its jti, where HasTokenID
	HasTokenID bool
	HasFamily  bool
	HasSession bool
	Family     storage.FamilyID  // of its gh_fam, where HasFamily
	Session    storage.SessionID // of its sid, where HasSession
}
