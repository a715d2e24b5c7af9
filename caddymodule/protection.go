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
	blocks  map[string]bool // that let clients in which no configuration names
}

// warnRemoved logs what an earlier configuration had and this one lacks: at
// most a line each for guards, APIs, clients and the blocks that let others in. The values are the operator's own.
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
	if gone := missing(before.blocks, p.blocks); len(gone) > 0 {
		log.Warn("a reload has taken away what lets clients in that are not configured: those that have signed in keep their client_id, and many never ask for another. "+
			"Their refresh tokens are refused as invalid_client, and their sign-ins with a page, until the block is back", zap.Strings("blocks", gone))
	}
}

// blocks are those of a configuration that let clients in which it does not name.
func (a *App) blocks() map[string]bool {
	return map[string]bool{"client_registration": a.ClientRegistration != nil, "client_documents": a.ClientDocuments != nil}
}

// missing returns the names that are in one set and not in the other, in order.
func missing(in, from map[string]bool) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if in[name] && !from[name] {
			names = append(names, name)
		}
	}
	return names
}
