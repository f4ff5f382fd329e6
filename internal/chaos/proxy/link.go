package proxy

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
)

// link is a connection of a client with the one to the server.
type link struct {
	proxy          *Proxy
	number         uint64 // from 1, in the order of accepting
	client, server *net.TCPConn
	pipes          [directions]*pipe

	broken atomic.Bool // a side was reset; set by the pipes
	once   sync.Once
	dead   chan struct{} // closed by cut
}

func newLink(p *Proxy, number uint64, client, server *net.TCPConn) *link {
	l := &link{proxy: p, number: number, client: client, server: server, dead: make(chan struct{})}
	request, response := p.filters(l)
	l.pipes[ToServer] = newPipe(l, ToServer, client, server, request)
	l.pipes[ToClient] = newPipe(l, ToClient, server, client, response)
	return l
}

// random is the source of one direction: what happens on other connections does not change it.
func (l *link) random(d Direction) *rand.Rand {
	return rand.New(rand.NewPCG(l.proxy.seed, l.number*uint64(directions)+uint64(d)))
}

// run returns when both directions have ended.
func (l *link) run() {
	var both sync.WaitGroup
	for _, p := range l.pipes {
		both.Go(p.run)
	}
	both.Wait()
	l.cut(l.broken.Load())
}

// cut closes both sides at once; what has not been written is lost. It is true for the first call.
func (l *link) cut(rst bool) bool {
	first := false
	l.once.Do(func() {
		first = true
		close(l.dead)
		for _, conn := range []*net.TCPConn{l.client, l.server} {
			if rst {
				_ = conn.SetLinger(0)
			}
			_ = conn.Close()
		}
	})
	return first
}
