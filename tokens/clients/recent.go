package clients

import "sync"

// maxRecent is how many clients a generation of recent has.
const maxRecent = 1000

// recent remembers clients by their ids: those that were used last, 2000 at most. Safe for
// concurrent use.
type recent struct {
	mu          sync.Mutex
	new, before map[string]*Client
}

// get returns the client with an id, nil where it is not remembered.
func (r *recent) get(id string) *Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.new[id]
	if !ok {
		if c, ok = r.before[id]; ok {
			r.keep(id, c)
		}
	}
	return c
}

// put remembers a client.
func (r *recent) put(id string, c *Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(id, c)
}

func (r *recent) keep(id string, c *Client) {
	if len(r.new) >= maxRecent || r.new == nil {
		r.new, r.before = make(map[string]*Client), r.new
	}
	r.new[id] = c
}
