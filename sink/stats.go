package sink

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"penstock/schema/deadletter"
)

// Stats is what a sink says of itself. What it counts begins with the process.
type Stats struct {
	// Moved is when it carried records last, or heard from Kafka that none have come while none
	// were held: every few seconds while all is well. Zero before the first time.
	Moved   time.Time
	Stores  []StoreStats
	Letters map[deadletter.Reason]int64 // dead letters that it wrote
}

// StoreStats is what a sink knows of a store.
type StoreStats struct {
	Name string
	Open bool // its breaker: it is not asked, as it does not answer
}

// Stats may be called at any time, from any goroutine.
func (s *Sink) Stats() Stats {
	stats := Stats{Letters: s.meter.written()}
	if at := s.meter.moved.Load(); at != 0 {
		stats.Moved = time.Unix(0, at)
	}
	for _, store := range s.stores {
		one := StoreStats{Name: store.Name()}
		if g, isGuarded := store.(*guarded); isGuarded {
			one.Open, _ = g.isOpen()
		}
		stats.Stores = append(stats.Stores, one)
	}
	return stats
}

// meter notes what a sink does, once a poll or a dead letter.
type meter struct {
	moved atomic.Int64 // nanoseconds since the Unix epoch

	mu      sync.Mutex
	letters map[deadletter.Reason]int64 // guarded by mu
}

func (m *meter) move() { m.moved.Store(time.Now().UnixNano()) }

// write counts letters that are durable. One that was there before is not another.
func (m *meter) write(letters []posted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.letters == nil {
		m.letters = make(map[deadletter.Reason]int64)
	}
	for i := range letters {
		if letters[i].filed == nil {
			m.letters[letters[i].reason]++
		}
	}
}

func (m *meter) written() map[deadletter.Reason]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.letters)
}
