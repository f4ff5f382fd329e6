package proxy

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

const (
	startupHead  = 4 + 4  // length, code
	maxStartup   = 10_000 // as the server has it
	messageHead  = 1 + 4  // kind, length
	copyData     = 'd'
	xlogData     = 'w'
	keepalive    = 'k'
	statusUpdate = 'r'
	copyBoth     = 'W'
	readyQuery   = 'Z'
	// Where the commit timestamp stands in a CopyData message with XLogData, from its kind on.
	xlogHead       = messageHead + 1 + 8 + 8 + 8
	beginTime      = xlogHead + 1 + 8
	commitTime     = xlogHead + 1 + 1 + 8 + 8
	streamTime     = xlogHead + 1 + 4 + 1 + 8 + 8
	lsnSize        = 8
	statusFlushed  = messageHead + 1 + 8
	frameHead      = streamTime + 8 // all of a message that decides what becomes of it
	sslRequest     = 80877103
	gssRequest     = 80877104
	encryptionDeny = 'N'
)

// Replication is what a [Postgres] proxy does to a replication stream. The zero value only watches.
type Replication struct {
	Clock          time.Duration // added to the commit timestamps: the source's clock is ahead by this; whole microseconds
	DropKeepalives bool          // from the server
	DropStatus     bool          // standby status updates from the client
}

// SetReplication changes what is done to replication streams, for open connections too.
func (p *Proxy) SetReplication(r Replication) { p.replication.Store(&r) }

// newPostgresFilters returns the filters of one connection.
func newPostgresFilters(p *Proxy, connection uint64) (request, response filter) {
	s := &pgSession{}
	return &pgClient{proxy: p, connection: connection, session: s, starting: true}, &pgServer{proxy: p, connection: connection, session: s}
}

// pgSession is what the two directions have to know of each other.
type pgSession struct {
	asked     atomic.Bool // the client asked for encryption; the answer is a single byte
	encrypted atomic.Bool
	streaming atomic.Bool // CopyData is the replication protocol's
}

// pgClient is the filter of the way to the server. Only one goroutine uses it.
type pgClient struct {
	proxy      *Proxy
	connection uint64
	session    *pgSession

	starting bool // messages have no kind yet
	opaque   bool
	left     int // bytes of the present message
	sent     *verdict
}

func (f *pgClient) next(b []byte) (pass int, after *verdict) {
	for !f.opaque && !f.session.encrypted.Load() {
		n := min(f.left, len(b)-pass)
		pass, f.left = pass+n, f.left-n
		if f.left > 0 {
			return pass, nil
		}
		if v := f.sent; v != nil {
			f.sent = nil
			return pass, v
		}
		known, v := f.judge(b[pass:])
		if v != nil || !known {
			return pass, v
		}
	}
	return len(b), nil
}

// judge looks at the message that b starts with. It is not known when b is too short.
func (f *pgClient) judge(b []byte) (known bool, v *verdict) {
	if f.starting {
		return f.judgeStartup(b), nil
	}
	size, known, ok := messageSize(b)
	if !ok {
		f.opaque = true
		f.proxy.malformed(f.connection, "a message of kind %q cannot be %d bytes long", b[0], size)
		return true, nil
	}
	if !known {
		return false, nil
	}
	f.left = size
	if b[0] != copyData || !f.session.streaming.Load() || size < statusFlushed+lsnSize || b[messageHead] != statusUpdate {
		return true, nil
	}
	stats := &f.proxy.stats
	if f.proxy.replication.Load().DropStatus && size <= frameHead {
		f.left = 0
		return true, &verdict{skip: size, sent: func() { stats.add(func(s *Stats) { s.StatusDropped++ }) }}
	}
	flushed := binary.BigEndian.Uint64(b[statusFlushed:])
	f.sent = &verdict{sent: func() { stats.status(flushed) }}
	return true, nil
}

// judgeStartup is false when b is too short.
func (f *pgClient) judgeStartup(b []byte) bool {
	if len(b) < startupHead {
		return false
	}
	size := int32(binary.BigEndian.Uint32(b))
	if size < startupHead || size > maxStartup {
		f.opaque = true
		f.proxy.malformed(f.connection, "a start-up message cannot be %d bytes long", size)
		return true
	}
	f.left = int(size)
	switch binary.BigEndian.Uint32(b[4:]) {
	case sslRequest, gssRequest:
		f.session.asked.Store(true)
	default: // a cancel request has nothing behind it
		f.starting = false
	}
	return true
}

// pgServer is the filter of the way to the client. Only one goroutine uses it.
type pgServer struct {
	proxy      *Proxy
	connection uint64
	session    *pgSession

	opaque bool
	left   int // bytes of the present message
}

func (f *pgServer) next(b []byte) (pass int, after *verdict) {
	for !f.opaque && !f.session.encrypted.Load() {
		n := min(f.left, len(b)-pass)
		pass, f.left = pass+n, f.left-n
		rest := b[pass:]
		if f.left > 0 || len(rest) == 0 {
			return pass, nil
		}
		if f.session.asked.CompareAndSwap(true, false) {
			f.left = 1
			if rest[0] != encryptionDeny {
				f.session.encrypted.Store(true)
				f.proxy.malformed(f.connection, "the server encrypts; fix: sslmode=disable, gssencmode=disable")
			}
			continue
		}
		size, known, ok := messageSize(rest)
		if !ok {
			f.opaque = true
			f.proxy.malformed(f.connection, "a message of kind %q cannot be %d bytes long", rest[0], size)
			break
		}
		if !known {
			return pass, nil
		}
		if v := f.judge(rest[:min(size, len(rest))], size); v != nil {
			return pass, v
		}
		f.left = size
	}
	return len(b), nil
}

// judge looks at a message, all of it or the first frameHead bytes at least, and returns what happens before it, or nil.
func (f *pgServer) judge(b []byte, size int) *verdict {
	switch b[0] {
	case copyBoth:
		f.session.streaming.Store(true)
	case readyQuery:
		f.session.streaming.Store(false)
	case copyData:
		if !f.session.streaming.Load() || size == messageHead {
			return nil
		}
		switch b[messageHead] {
		case xlogData:
			f.shift(b)
		case keepalive:
			return f.keepalive(size)
		}
	}
	return nil
}

func (f *pgServer) keepalive(size int) *verdict {
	drop := f.proxy.replication.Load().DropKeepalives && size <= frameHead
	f.proxy.stats.add(func(s *Stats) {
		s.Keepalives++
		if drop {
			s.KeepalivesDropped++
		}
	})
	if drop {
		return &verdict{skip: size}
	}
	return nil
}

// shift moves the commit timestamp in an XLogData message, if it has one.
func (f *pgServer) shift(b []byte) {
	by := f.proxy.replication.Load().Clock
	if by == 0 || len(b) <= xlogHead {
		return
	}
	at := 0
	switch b[xlogHead] {
	case 'B':
		at = beginTime
	case 'C':
		at = commitTime
	case 'c':
		at = streamTime
	}
	if at == 0 || len(b) < at+8 {
		return
	}
	stamp := int64(binary.BigEndian.Uint64(b[at:])) + by.Microseconds()
	binary.BigEndian.PutUint64(b[at:], uint64(stamp))
	f.proxy.stats.shift(by)
}

// messageSize returns the bytes of a message with its kind. It is known when b has all that decides: the whole message, or
// the first frameHead bytes of CopyData. It is not ok when no message is so long.
func messageSize(b []byte) (size int, known, ok bool) {
	if len(b) < messageHead {
		return 0, false, true
	}
	length := int32(binary.BigEndian.Uint32(b[1:]))
	if length < messageHead-1 {
		return int(length), false, false
	}
	size = 1 + int(length)
	need := messageHead
	if b[0] == copyData {
		need = min(size, frameHead)
	}
	return size, len(b) >= need, true
}
