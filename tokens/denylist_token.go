package tokens

import (
	"sync/atomic"
	"time"
)

// Token is what a Denylist needs to know of an access token. Those who check one
// again and again keep its Token: it remembers, in one word, what was found out last.
type Token struct {
	stamp    atomic.Uint64 // Denylist.stamp of what it knew last about User
	IssuedAt time.Time     // iat; zero when absent
	Client   ClientTag     // TagClient of its client_id
	User     UserTag       // TagSubject of its sub

	TokenID    TokenID // its jti, where HasTokenID
	HasTokenID bool
	HasFamily  bool
	HasSession bool
	Family     FamilyID  // of its gh_fam, where HasFamily
	Session    SessionID // of its sid, where HasSession
}
