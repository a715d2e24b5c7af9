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

// logLosses writes what an earlier configuration had and this one has not: at
// most a line each for guards, APIs and clients. The values are the operator's own.
func (p *posture) logLosses(log *zap.Logger, before *posture) {
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
