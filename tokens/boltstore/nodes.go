package boltstore

import (
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// metaNodes is the key in the meta bucket of the nodesRecord.
var metaNodes = []byte("nodes")

const (
	maxNodes     = 64 // that are remembered; the one that has been silent for longest goes
	nodesKept    = 90 * 24 * time.Hour
	vouchedEvery = time.Second // at most so often it is written
)

// nodeRecord is a process that has decided by the file, and has not taken leave.
type nodeRecord struct {
	mark    storage.NodeMark
	vouched time.Time // milliseconds; see storage.BeatRequest
}

// nodesRecord are all of them. All but the last one have died.
type nodesRecord []nodeRecord

func (r nodesRecord) encode() []byte {
	b := append(make([]byte, 0, 1+11*len(r)), recordVersion)
	for _, n := range r {
		b = appendMillis(append(b, n.mark[:]...), n.vouched)
	}
	return b
}

func (r *nodesRecord) decode(b []byte) error {
	d := newDecoder(b)
	*r = nil
	for len(d.b) > 0 {
		var n nodeRecord
		copy(n.mark[:], d.bytes(len(n.mark)))
		n.vouched = d.millis()
		*r = append(*r, n)
	}
	return d.end()
}

// nodes is what the store knows of itself, as of a process, and of those before
// it that have died: what they rotated last was perhaps never answered. A sign of
// life costs no commit of its own: it goes with what is committed anyway, since
// after the last commit nothing was rotated either.
type nodes struct {
	silent []storage.Silence // those that have died; of the time of Open

	mu      sync.Mutex
	own     storage.NodeMark // zero before the first beat
	record  nodesRecord      // as written
	vouched time.Time        // by the newest beat
}

// load reads which nodes have died. Nothing is decided before that.
func (n *nodes) load(t *txn) error {
	var r nodesRecord
	_, err := t.read(meta, metaNodes, &r)
	n.silent = nil
	for _, dead := range r {
		n.silent = append(n.silent, storage.Silence{Node: dead.mark, Since: dead.vouched.Add(-storage.DoubtFor)})
	}
	return err
}

// known reports whether a node is in the file, and takes its sign of life.
func (n *nodes) known(r storage.BeatRequest, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.own != r.Node {
		return false
	}
	if r.Settled {
		n.vouched = now
	}
	return true
}

// enter writes a node into the file, or takes it out.
func (n *nodes) enter(t *txn, r storage.BeatRequest) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var record nodesRecord
	if _, err := t.read(meta, metaNodes, &record); err != nil {
		return err
	}
	record = slices.DeleteFunc(record, func(other nodeRecord) bool {
		return other.mark == r.Node || t.now.Sub(other.vouched) > nodesKept
	})
	n.own = storage.NodeMark{}
	if !r.Leaving {
		record = append(record[max(0, len(record)-maxNodes+1):], nodeRecord{r.Node, t.now})
		n.own, n.vouched = r.Node, t.now
	}
	n.record = record
	t.put(meta, metaNodes, record.encode())
	return nil
}

// alongside writes the newest sign of life, where there is one, beside what a
// transaction writes.
func (n *nodes) alongside(t *txn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.own == (storage.NodeMark{}) {
		return
	}
	if last := &n.record[len(n.record)-1]; n.vouched.Sub(last.vouched) >= vouchedEvery {
		last.vouched = n.vouched
		t.put(meta, metaNodes, n.record.encode())
	}
}
