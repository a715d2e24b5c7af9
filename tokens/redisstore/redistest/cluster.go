package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Nodes are a Redis Cluster of three primaries, each with a replica.
type Nodes struct {
	Servers []*Server // three that began as primaries, then their replicas
	IDs     []string

	moved map[int]int // to which server a slot has moved
}

// Slots is the number of hash slots.
const Slots = 16384

const primaries = 3

// StartCluster starts six nodes and waits until they are a cluster.
func StartCluster(t testing.TB) *Nodes {
	t.Helper()
	n := &Nodes{}
	for range 2 * primaries {
		n.start(t)
	}
	for i, s := range n.Servers[:primaries] {
		s.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*Slots/primaries), strconv.Itoa((i+1)*Slots/primaries-1))
	}
	for _, s := range n.Servers[1:] {
		s.Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(n.Servers[0].Port))
	}
	for _, s := range n.Servers {
		until(t, "the nodes know each other", func() bool {
			known := strings.TrimSpace(s.Do("CLUSTER", "NODES"))
			return strings.Count(known, "\n") == 2*primaries-1 && !strings.Contains(known, "handshake")
		})
	}
	for i, s := range n.Servers[primaries:] {
		s.Do("CLUSTER", "REPLICATE", n.IDs[i])
	}
	for i, s := range n.Servers {
		until(t, "the cluster serves", func() bool {
			ready := strings.Contains(s.Do("CLUSTER", "INFO"), "cluster_state:ok")
			if i >= primaries {
				ready = ready && strings.Contains(s.Do("INFO", "replication"), "master_link_status:up")
			}
			return ready && strings.Count(s.Do("CLUSTER", "NODES"), "slave ") == primaries
		})
	}
	return n
}

// start starts a node that knows no other.
func (n *Nodes) start(t testing.TB) {
	t.Helper()
	s := Start(t, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000",
		"--cluster-replica-validity-factor", "0", "--cluster-require-full-coverage", "no")
	n.Servers = append(n.Servers, s)
	n.IDs = append(n.IDs, s.Do("CLUSTER", "MYID"))
	s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(len(n.Servers)))
}

// Add starts a further primary, which serves no slot yet, and returns its number.
func (n *Nodes) Add(t testing.TB) int {
	t.Helper()
	n.start(t)
	to := len(n.Servers) - 1
	n.Servers[to].Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(n.Servers[0].Port))
	for _, s := range n.Servers {
		until(t, "all know the new node", func() bool {
			nodes := s.Do("CLUSTER", "NODES")
			return strings.Count(nodes, "connected") == len(n.Servers) && !strings.Contains(nodes, "handshake") && strings.Contains(s.Do("CLUSTER", "INFO"), "cluster_state:ok")
		})
	}
	return to
}

// Addrs are the addresses of all nodes.
func (n *Nodes) Addrs() []string {
	addrs := make([]string, len(n.Servers))
	for i, s := range n.Servers {
		addrs[i] = s.Addr
	}
	return addrs
}

// Slot returns the hash slot of a key.
func (n *Nodes) Slot(key string) int {
	slot, _ := strconv.Atoi(n.Servers[0].Do("CLUSTER", "KEYSLOT", key))
	return slot
}

// Move moves a slot from one primary to another, in the steps of a resharding.
// between runs when a part of the keys has moved: then both nodes answer ASK
// and MOVED.
func (n *Nodes) Move(t testing.TB, slot, from, to int, between func()) {
	t.Helper()
	number, source, target := strconv.Itoa(slot), n.Servers[from], n.Servers[to]
	target.Do("CLUSTER", "SETSLOT", number, "IMPORTING", n.IDs[from])
	source.Do("CLUSTER", "SETSLOT", number, "MIGRATING", n.IDs[to])
	between()
	for {
		keys := source.Do("CLUSTER", "GETKEYSINSLOT", number, "1")
		if keys == "" {
			break
		}
		source.Do("MIGRATE", "127.0.0.1", fmt.Sprint(target.Port), keys, "0", "5000")
		between()
	}
	target.Do("CLUSTER", "SETSLOT", number, "NODE", n.IDs[to])
	source.Do("CLUSTER", "SETSLOT", number, "NODE", n.IDs[to])
	if n.moved == nil {
		n.moved = make(map[int]int)
	}
	n.moved[slot] = to
}

// Owner returns which server serves a slot, or did until its replica took over.
func (n *Nodes) Owner(slot int) int {
	if to, ok := n.moved[slot]; ok {
		return to
	}
	return slot * primaries / Slots
}
