package site

import (
	"errors"
	"net/http"
)

// Guard is one place that a person has to sign in for. Safe for concurrent use.
type Guard struct{ cfg Config }

// New makes a guard.
func New(cfg Config) (*Guard, error) {
	if len(cfg.Sites) == 0 {
		return nil, errors.New("making guard of a site: Sites are required")
	}
	return &Guard{cfg: cfg}, nil
}

// Serves reports whether a Host is that of one of the guard's sites.
func (g *Guard) Serves(host string) bool { return false }

// TakeOut takes out of a request what only the guard may tell the upstream.
func (g *Guard) TakeOut(r *http.Request) {}

// Check lets a request pass, or answers it.
func (g *Guard) Check(w http.ResponseWriter, r *http.Request) (Result, error) {
	return Result{}, nil
}
