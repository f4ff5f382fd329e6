package proxy

import (
	"fmt"
	"time"
)

// filter looks at one direction of a connection. It keeps no bytes and never waits.
type filter interface {
	// next is given what has not been passed yet. It returns how many bytes of b may go on, and what happens after them, or
	// nil. Bytes that do not go on come again, with more behind them, at the start of the next b; they are fewer than maxHead.
	// It may change what it passes, in place.
	next(b []byte) (pass int, after *verdict)
}

// maxHead is more than a filter needs to see of a frame at once. A frame's length allocates nothing.
const maxHead = 128

// verdict is what happens at one place of a stream.
type verdict struct {
	sent  func()          // called when everything before it has been written, and not lost
	end   bool            // both sides are closed then
	skip  int             // bytes after it that are lost
	until <-chan struct{} // what comes after it waits until this is closed
	delay time.Duration   // what comes after it is late by this
}

// filters returns those of one connection; they may share state.
func (p *Proxy) filters(l *link) (request, response filter) {
	switch p.protocol {
	case Kafka:
		return newKafkaFilters(p, l.number)
	case Postgres:
		return newPostgresFilters(p, l.number)
	default:
		return raw{}, raw{}
	}
}

// raw passes everything.
type raw struct{}

func (raw) next(b []byte) (int, *verdict) { return len(b), nil }

// malformed reports what cannot be parsed; the bytes from there on pass unseen.
func (p *Proxy) malformed(connection uint64, format string, args ...any) {
	p.stats.add(func(s *Stats) { s.Malformed++ })
	p.report(fmt.Errorf("connection %d: %w", connection, fmt.Errorf(format, args...)))
}
