package redistest

import (
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
)

// Ports come from below those that systems give to outgoing connections, and
// leave room for a cluster's bus 10000 above. Packages are tested at the same
// time, and a port is not bound yet when its number is given out: so each process
// has blocks of ports to itself, by listening on the first port of each.
const (
	firstPort = 10_000
	blockSize = 100
	blocks    = 100
	busOffset = 10_000
)

var ports struct {
	sync.Mutex
	held []net.Listener // on the first port of each block, until the process ends
	mine []int          // the ports of these blocks
	next int
}

// FreePort returns a port on which nobody listens, for a server that is about to
// start, and may end and start again.
func FreePort(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range blocks * blockSize {
		if ports.next == len(ports.mine) && !takeBlock() {
			ports.next = 0 // those given out long ago
		}
		if len(ports.mine) == 0 {
			break
		}
		port := ports.mine[ports.next]
		ports.next++
		if isFree(port) && isFree(port+busOffset) {
			return port
		}
	}
	t.Fatalf("no port from %d to %d is free", firstPort, firstPort+blocks*blockSize)
	return 0
}

// takeBlock takes a block that no process has. Processes begin apart.
func takeBlock() bool {
	for i := range blocks {
		first := firstPort + (os.Getpid()*7+i)%blocks*blockSize
		l, err := listen(first)
		if err != nil {
			continue
		}
		ports.held = append(ports.held, l)
		for port := first + 1; port < first+blockSize; port++ {
			ports.mine = append(ports.mine, port)
		}
		return true
	}
	return false
}

func isFree(port int) bool {
	l, err := listen(port)
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
