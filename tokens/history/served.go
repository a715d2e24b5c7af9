package history

import (
	"sync"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// historyServed is how many usual requests this node remembers, at 32 bytes each.
const historyServed = 1 << 15

// servedRequests remembers which family each usual request of late was about: no
// history keeps those. It is a ring, so that the newest are there.
type servedRequests struct {
	mu   sync.Mutex
	ring []servedRequest
	next int // the oldest, once the ring is full
}

type servedRequest struct {
	request storage.RequestTag
	family  storage.FamilyID
}

func (s *servedRequests) add(request storage.RequestTag, family storage.FamilyID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) < historyServed {
		s.ring = append(s.ring, servedRequest{request, family})
		return
	}
	s.ring[s.next] = servedRequest{request, family}
	s.next = (s.next + 1) % historyServed
}

// family finds the family of a request. Only an operator asks, so it just looks.
func (s *servedRequests) family(request storage.RequestTag) (storage.FamilyID, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.ring {
		if r.request == request {
			return r.family, true
		}
	}
	return storage.FamilyID{}, false
}
