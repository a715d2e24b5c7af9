package caddymodule

import (
	"maps"
	"slices"

	"go.uber.org/zap"
)

// posture is what a configuration protects, for telling an operator at a reload
// what the new one does not protect any more. Such a reload is as valid as any:
// whether it was meant, only the log's reader knows.
type posture struct {
	guards  map[string]int // by audience
	clients map[string]bool
	apis    map[string]bool
}

// countGuard notes a guard, while the configuration is provisioned.
func (a *App) countGuard(audiences []string) {
	if a.guards == nil {
		a.guards = make(map[string]int)
	}
	for _, audience := range audiences {
		a.guards[audience]++
	}
}

// tellLosses compares with the configuration before this one on the same store.
func (a *App) tellLosses() {
	if !a.runtime.entered.Load() {
		return
	}
	p, t, s := a.posture(), a.runtime.tenant, a.runtime.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.live, t); i > 0 && s.live[i-1].posture != nil {
		p.logLosses(a.log, *s.live[i-1].posture)
	}
	t.posture = &p
}

// posture returns what the configuration protects. All of its guards have been
// provisioned when the first app starts.
func (a *App) posture() posture {
	p := posture{guards: maps.Clone(a.guards), clients: make(map[string]bool), apis: make(map[string]bool)}
	for _, c := range a.Clients {
		p.clients[c.ID] = true
	}
	for _, api := range a.APIs {
		p.apis[api.Identifier] = true
	}
	return p
}

// logLosses writes what an earlier configuration had and this one has not: at
// most a line each for guards, APIs and clients. The values are the operator's own.
func (p posture) logLosses(log *zap.Logger, before posture) {
	var fewer []string
	for _, audience := range slices.Sorted(maps.Keys(before.guards)) {
		if p.guards[audience] < before.guards[audience] {
			fewer = append(fewer, audience)
		}
	}
	if len(fewer) > 0 {
		log.Warn("a reload has taken guards away", zap.Strings("audiences", fewer))
	}
	if gone := missing(before.apis, p.apis); len(gone) > 0 {
		log.Warn("a reload has taken APIs away", zap.Strings("apis", gone))
	}
	if gone := missing(before.clients, p.clients); len(gone) > 0 {
		log.Info("a reload has taken clients away", zap.Strings("clients", gone))
	}
}

// missing returns the names that are in one set and not in the other, in order.
func missing(in, from map[string]bool) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if !from[name] {
			names = append(names, name)
		}
	}
	return names
}
