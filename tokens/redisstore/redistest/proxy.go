package redistest

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Fault is what a Proxy does to a script.
type Fault int32

// The faults.
const (
	None   Fault = iota
	Before       // the connection breaks before the script reaches Redis
	After        // the script runs, the connection breaks before its answer is passed on
	Stale        // an older answer is passed on before the right one
	Held         // the script runs, its answer is kept back and the connection stays
)

// Proxy stands between a client and a server and breaks connections.
type Proxy struct {
	Addr string

	target   string
	listener net.Listener
	fault    atomic.Int32
	times    atomic.Int32 // how often the fault is still to happen
	scripts  atomic.Int32 // how many were passed on
	running  sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]struct{}
}

// NewProxy starts a proxy before a server. It ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, open: map[net.Conn]struct{}{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Arm makes the fault happen to the next n scripts.
func (p *Proxy) Arm(f Fault, n int) {
	p.scripts.Store(0)
	p.fault.Store(int32(f))
	p.times.Store(int32(n))
}

// Scripts is how many scripts have reached Redis since Arm.
func (p *Proxy) Scripts() int { return int(p.scripts.Load()) }

// Left is how often the fault has not happened yet.
func (p *Proxy) Left() int { return int(p.times.Load()) }

// Cut breaks all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.open[client], p.open[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		var doomed atomic.Int32 // the Fault that waits for the answer
		p.running.Go(func() { p.pass(client, server, &doomed, p.request) })
		p.running.Go(func() { p.pass(server, client, &doomed, p.reply) })
	}
}

// pass copies chunks until the connection ends or a fault ends it.
func (p *Proxy) pass(from, to net.Conn, doomed *atomic.Int32, look func(chunk []byte, doomed *atomic.Int32) ([]byte, bool)) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		from.Close()
		to.Close()
		delete(p.open, from)
	}()
	chunk := make([]byte, 64<<10)
	for {
		n, err := from.Read(chunk)
		if err != nil {
			return
		}
		out, ok := look(chunk[:n], doomed)
		if !ok {
			return
		}
		if _, err := to.Write(out); err != nil {
			return
		}
	}
}

func (p *Proxy) request(chunk []byte, doomed *atomic.Int32) ([]byte, bool) {
	if !bytes.Contains(bytes.ToLower(chunk[:min(len(chunk), 40)]), []byte("eval")) {
		return chunk, true
	}
	if f := p.take(); f == Before {
		return nil, false
	} else if f != None {
		doomed.Store(int32(f))
	}
	p.scripts.Add(1)
	return chunk, true
}

func (p *Proxy) reply(chunk []byte, doomed *atomic.Int32) ([]byte, bool) {
	switch Fault(doomed.Swap(int32(None))) {
	case After:
		return nil, false
	case Held:
		return nil, true
	case Stale:
		return append([]byte("*2\r\n$1\r\n1\r\n:1\r\n"), chunk...), true
	default:
		return chunk, true
	}
}

// take returns the fault if it is to happen now.
func (p *Proxy) take() Fault {
	for {
		n := p.times.Load()
		if n <= 0 {
			return None
		}
		if p.times.CompareAndSwap(n, n-1) {
			return Fault(p.fault.Load())
		}
	}
}
