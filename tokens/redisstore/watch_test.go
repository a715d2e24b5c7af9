package redisstore

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

var infoCalls = regexp.MustCompile(`cmdstat_info:calls=(\d+)`)

// testIdle: a store that nobody uses asks the primaries of a Cluster rarely who
// they are. A thousand gateways do.
func testIdle(t *testing.T, nodes *redistest.Nodes, s *Store) {
	for _, server := range nodes.Servers {
		server.Do("CONFIG", "RESETSTAT")
	}
	time.Sleep(2 * meetEvery)
	for i, server := range nodes.Servers[:3] {
		calls := infoCalls.FindStringSubmatch(server.Do("INFO", "commandstats"))
		if calls == nil {
			t.Errorf("primary %d was not asked who it is", i)
			continue
		}
		if n, _ := strconv.Atoi(calls[1]); n > 7 { // two questions of two commands each, and one of its settings
			t.Errorf("primary %d was asked %d times in %v", i, n, 2*meetEvery)
		}
	}
	if _, err := s.Now(t.Context()); err != nil {
		t.Error(err)
	}
}
