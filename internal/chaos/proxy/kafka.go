package proxy

import (
	"encoding/binary"
	"sync"
	"time"
)

const (
	requestHead  = 4 + 2 + 2 + 4 // length, API key, API version, correlation id
	responseHead = 4 + 4         // length, correlation id
	lengthSize   = 4
	maxRequest   = 1 << 30 // a broker takes 100 MB, unless told otherwise
)

// newKafkaFilters returns the filters of one connection.
func newKafkaFilters(p *Proxy, connection uint64) (request, response filter) {
	a := &answers{}
	return &kafkaRequests{proxy: p, connection: connection, answers: a}, &kafkaResponses{proxy: p, connection: connection, answers: a}
}

// answers are the replies that rules wait for on one connection.
type answers struct {
	mu      sync.Mutex
	pending map[int32]awaited // guarded by mu; by correlation id
}

type awaited struct {
	armed *Armed
	key   APIKey
}

func (a *answers) expect(correlation int32, w awaited) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending == nil {
		a.pending = map[int32]awaited{}
	}
	a.pending[correlation] = w
}

func (a *answers) take(correlation int32) (awaited, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w, ok := a.pending[correlation]
	delete(a.pending, correlation)
	return w, ok
}

// kafkaRequests is the filter of the way to the broker. Only one goroutine uses it.
type kafkaRequests struct {
	proxy      *Proxy
	connection uint64
	answers    *answers

	opaque bool
	left   int      // bytes of the present request
	judged bool     // the request at the start was held, and has been let go
	cut    *verdict // after the present request
}

func (f *kafkaRequests) next(b []byte) (pass int, after *verdict) {
	for !f.opaque {
		n := min(f.left, len(b)-pass)
		pass, f.left = pass+n, f.left-n
		if f.left > 0 {
			return pass, nil
		}
		if f.cut != nil {
			return pass, f.cut
		}
		rest := b[pass:]
		if len(rest) < lengthSize {
			return pass, nil
		}
		size := int32(binary.BigEndian.Uint32(rest))
		if size < requestHead-lengthSize || size > maxRequest {
			f.opaque = true
			f.proxy.malformed(f.connection, "a request cannot be %d bytes long", size)
			break
		}
		if len(rest) < requestHead {
			return pass, nil
		}
		if v := f.judge(rest, size); v != nil {
			return pass, v
		}
		f.left = lengthSize + int(size)
	}
	return len(b), nil
}

// judge looks at a request's head and returns what happens before it, or nil.
func (f *kafkaRequests) judge(head []byte, size int32) *verdict {
	if f.judged {
		f.judged = false
		return nil
	}
	r := Request{
		Connection:    f.connection,
		Key:           APIKey(binary.BigEndian.Uint16(head[4:])),
		Version:       int16(binary.BigEndian.Uint16(head[6:])),
		CorrelationID: int32(binary.BigEndian.Uint32(head[8:])),
		Size:          size,
	}
	f.proxy.stats.request(r.Key)
	a := f.proxy.rules.pick(r)
	if a == nil {
		return nil
	}
	did := func() { a.did(&f.proxy.stats, r.Key) }
	switch a.rule.Act {
	case DropRequest:
		return &verdict{sent: did, end: true}
	case DropReply, DelayReply:
		f.answers.expect(r.CorrelationID, awaited{a, r.Key})
	case CutAfterRequest:
		f.cut = &verdict{sent: did, end: true}
	case HoldRequest:
		f.judged = true
		return &verdict{sent: did, until: a.free}
	}
	return nil
}

// kafkaResponses is the filter of the way from the broker. Only one goroutine uses it.
type kafkaResponses struct {
	proxy      *Proxy
	connection uint64
	answers    *answers

	opaque bool
	left   int // bytes of the present response
}

func (f *kafkaResponses) next(b []byte) (pass int, after *verdict) {
	for !f.opaque {
		n := min(f.left, len(b)-pass)
		pass, f.left = pass+n, f.left-n
		rest := b[pass:]
		if f.left > 0 || len(rest) < lengthSize {
			return pass, nil
		}
		size := int32(binary.BigEndian.Uint32(rest))
		if size < responseHead-lengthSize {
			f.opaque = true
			f.proxy.malformed(f.connection, "a response cannot be %d bytes long", size)
			break
		}
		if len(rest) < responseHead {
			return pass, nil
		}
		if v := f.judge(int32(binary.BigEndian.Uint32(rest[lengthSize:]))); v != nil {
			return pass, v
		}
		f.left = lengthSize + int(size)
	}
	return len(b), nil
}

// judge returns what happens before the answer to a request, or nil. It is asked once only: who is taken waits no more.
func (f *kafkaResponses) judge(correlation int32) *verdict {
	w, ok := f.answers.take(correlation)
	if !ok {
		return nil
	}
	did := func() { w.armed.did(&f.proxy.stats, w.key) }
	var delay time.Duration
	if w.armed.rule.Act == DelayReply {
		delay = w.armed.rule.Delay
	}
	return &verdict{sent: did, end: w.armed.rule.Act == DropReply, delay: delay}
}
