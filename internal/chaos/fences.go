package chaos

import (
	"sync"

	"penstock/internal/chaos/proxy"
)

// fences counts the producers that ask Kafka for their id, which fences every older
// one: by connections, as one that is told to ask again is no other.
type fences struct {
	armed *proxy.Armed

	mu   sync.Mutex
	seen map[uint64]bool // connections
}

func watchFences(broker *proxy.Proxy) *fences {
	f := &fences{seen: map[uint64]bool{}}
	f.armed = broker.Arm(proxy.Rule{Key: proxy.InitProducerID, Act: proxy.DelayReply, Match: f.look})
	return f
}

// look picks nothing: it only counts.
func (f *fences) look(r proxy.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[r.Connection] = true
	return false
}

func (f *fences) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.seen)
}

func (f *fences) end() { f.armed.Disarm() }
