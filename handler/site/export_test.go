package site

// CookieName is the name of the cookie of a site's sessions.
func (s *Site) CookieName() string { return s.cookies.session }

// Held is how many sessions the node holds.
func (s *Site) Held() int {
	s.sessions.mu.RLock()
	defer s.sessions.mu.RUnlock()
	return len(s.sessions.held)
}
