// Package recent remembers a bounded number of things by their names: those that were used
// last. What is known is read without a lock.
//
// Begin reading at Memory.
package recent

import (
	"sync"
	"sync/atomic"
)

// Memory remembers what was used last: between one and two times the number that it was made
// for. Safe for concurrent use.
type Memory[V any] struct {
	most        int64
	mu          sync.Mutex // held by who writes
	now, before atomic.Pointer[generation]
}

// generation is what was used since the one before was full.
type generation struct {
	values sync.Map // by name
	count  int64
}

// New makes a Memory for a number of things, at least.
func New[V any](most int) *Memory[V] {
	m := &Memory[V]{most: int64(most)}
	m.now.Store(new(generation))
	m.before.Store(new(generation))
	return m
}

// Get returns what has a name, and false where it is not remembered.
func (m *Memory[V]) Get(name string) (v V, ok bool) {
	if held, ok := m.now.Load().values.Load(name); ok {
		return held.(V), true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held, ok := m.now.Load().values.Load(name)
	if !ok {
		if held, ok = m.before.Load().values.Load(name); !ok {
			return v, false
		}
		m.put(name, held)
	}
	return held.(V), true
}

// Put remembers something under a name.
func (m *Memory[V]) Put(name string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(name, v)
}

func (m *Memory[V]) put(name string, v any) {
	g := m.now.Load()
	if _, known := g.values.Load(name); !known {
		if g.count >= m.most {
			m.before.Store(g)
			g = new(generation)
			m.now.Store(g)
		}
		g.count++
	}
	g.values.Store(name, v)
}
