package proxy

import (
	"maps"
	"sync"
	"time"
)

// Stats witnesses what a proxy has done so far. Arrays are by [Direction], maps may be nil.
type Stats struct {
	Accepted    uint64 // connections taken
	Refused     uint64 // connections turned away: by Refuse, or as there was no target
	Unreachable uint64 // connections taken and reset as the target did not answer
	Resets      uint64 // connections reset by ResetAll and by toxics

	Bytes      [directions]uint64 // written
	Delayed    [directions]uint64 // chunks that waited for a latency
	Stalled    [directions]uint64 // chunks that met a stall
	Throttled  [directions]uint64 // waits for bandwidth
	Sliced     [directions]uint64 // segments written by a slicer
	Swallowed  [directions]uint64 // bytes lost, after a half-close too
	HalfClosed [directions]uint64 // directions shut

	// Of Kafka.
	Requests map[APIKey]uint64         // seen, whatever became of them
	Acts     map[Act]map[APIKey]uint64 // of rules, done
	// Of Postgres.
	Shifted           uint64        // commit timestamps shifted, of Begin, Commit and StreamCommit each
	ShiftMin          time.Duration // the least and the greatest shift applied
	ShiftMax          time.Duration
	Keepalives        uint64 // from the server, those dropped included
	KeepalivesDropped uint64
	StatusUpdates     uint64 // standby status updates written to the server
	StatusDropped     uint64 // standby status updates dropped
	Confirming        uint64 // those written whose flushed LSN is not zero
	Flushed           uint64 // the last flushed LSN written that is not zero

	Malformed uint64 // streams that could not be parsed on; see Err
}

// counters guards a Stats.
type counters struct {
	mu    sync.Mutex
	stats Stats // guarded by mu
}

func (c *counters) add(count func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count(&c.stats)
}

func (c *counters) request(key APIKey) {
	c.add(func(s *Stats) {
		if s.Requests == nil {
			s.Requests = map[APIKey]uint64{}
		}
		s.Requests[key]++
	})
}

func (c *counters) act(a Act, key APIKey) {
	c.add(func(s *Stats) {
		if s.Acts == nil {
			s.Acts = map[Act]map[APIKey]uint64{}
		}
		if s.Acts[a] == nil {
			s.Acts[a] = map[APIKey]uint64{}
		}
		s.Acts[a][key]++
	})
}

func (c *counters) shift(d time.Duration) {
	c.add(func(s *Stats) {
		if s.Shifted == 0 {
			s.ShiftMin, s.ShiftMax = d, d
		}
		s.Shifted++
		s.ShiftMin, s.ShiftMax = min(s.ShiftMin, d), max(s.ShiftMax, d)
	})
}

func (c *counters) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Requests = maps.Clone(s.Requests)
	s.Acts = maps.Clone(s.Acts)
	for act, byKey := range s.Acts {
		s.Acts[act] = maps.Clone(byKey)
	}
	return s
}

func (c *counters) status(flushed uint64) {
	c.add(func(s *Stats) {
		s.StatusUpdates++
		if flushed != 0 {
			s.Confirming++
			s.Flushed = flushed
		}
	})
}
