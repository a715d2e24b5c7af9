package caddymodule

import (
	"maps"
	"slices"

	"go.uber.org/zap"
)

// protection is what a configuration protects, so that an operator is warned of a
// reload after which something is not protected any more. Such a reload is as valid
// as any: only the reader of the log knows whether it was intended.
type protection struct {
	guards  map[string]int // by audience
	clients map[string]bool
	apis    map[string]bool
}

// warnRemoved logs what an earlier configuration had and this one lacks: at
// most a line each for guards, APIs and clients. The values are the operator's own.
func (p *protection) warnRemoved(log *zap.Logger, before *protection) {
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
