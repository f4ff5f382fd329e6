package simulation_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"penstock/cdc"
)

const (
	postgresAddr = "127.0.0.1:5432"
	kafkaAddr    = "127.0.0.1:9092"
)

// host is the machine that one capture runs on: all of its connections, and
// what befalls them.
type host struct {
	world *world

	mu       sync.Mutex
	rand     *rand.Rand
	wires    []*wire
	dead     bool          // crashed: no connection, ever
	gone     chan struct{} // closed when it is dead
	leads    bool          // its capture has had the slot and the position, and has not taken the slot again since
	isolated bool          // Postgres does not hear from it, nor it from Postgres
	slow     time.Duration // added to what goes to Kafka
	trap     *trap
}

// wire is one connection of a host.
type wire struct {
	client, server *conn
	kafka          bool
	keys           map[int32]int16 // the request of each correlation id; guarded by the host's mu
}

// moment is when something happens to a host.
type moment string

const (
	atOperation moment = "operation" // the nth write to or from it
	atFailpoint moment = "failpoint" // the nth time it gets there
	atRequest   moment = "request"   // the nth request of a kind to Kafka, which is lost
	atReply     moment = "reply"     // the answer to it, which is lost
	atTime      moment = "time"
)

// blow is what happens to a host.
type blow string

const (
	blowCrash     blow = "crash"      // all its connections are cut: its process is gone
	blowBreak     blow = "break"      // the connection is cut, or those to Kafka
	blowIsolate   blow = "isolate"    // Postgres is cut off and Kafka is slow, but it lives
	blowPostgres  blow = "postgres"   // Postgres crashes and forgets
	blowPromote   blow = "promote"    // Postgres fails over to a standby that has the whole log
	blowWalsender blow = "walsender"  // Postgres ends the stream
	blowStop      blow = "stop"       // it is asked to stop
	blowKafka     blow = "kafka-mute" // Kafka does not answer for a while
)

// trap waits for a moment, and strikes once.
type trap struct {
	moment moment
	point  cdc.Failpoint // at atFailpoint
	key    int16         // at atRequest and atReply
	nth    int
	blow   blow

	struck chan struct{} // closed when it has
	done   bool          // guarded by the host's mu
}

// arm sets the next trap; nil is none. Only one waits at a time.
func (h *host) arm(t *trap) {
	if t != nil {
		t.struck = make(chan struct{})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trap = t
}

// meets counts a moment, and says whether the trap is sprung by it.
func (h *host) meets(m moment, matches func(*trap) bool) (*trap, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.trap
	if h.dead || t == nil || t.done || t.moment != m || !matches(t) {
		return nil, false
	}
	if t.nth--; t.nth > 0 {
		return nil, false
	}
	t.done = true
	return t, true
}

func anyTime(*trap) bool { return true }

// strike does what the trap is for; on is the connection that it was sprung on,
// if any.
func (h *host) strike(t *trap, on *wire) {
	defer close(t.struck)
	h.world.witness(t)
	switch t.blow {
	case blowCrash:
		h.cut()
	case blowBreak:
		if on != nil {
			h.sever(on)
		} else {
			h.deposed() // a capture that has lost Kafka starts anew, unless it was at rest
			h.severAll(func(w *wire) bool { return w.kafka })
		}
	case blowIsolate:
		h.isolate()
	case blowPostgres:
		h.world.postgres.crash(time.Duration(h.roll(2000)) * time.Millisecond)
	case blowPromote:
		h.world.postgres.promote(h.world.wal.flushed(), time.Duration(h.roll(2000))*time.Millisecond)
	case blowWalsender:
		h.world.postgres.terminate(0, "")
	case blowKafka:
		h.mu.Lock()
		h.slow = 20 * time.Second
		h.mu.Unlock()
		time.AfterFunc(30*time.Second, func() { h.quicken() })
	case blowStop:
	}
}

// deposed forgets that the capture leads, until it does again.
func (h *host) deposed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leads = false
}

// reach is a capture's failpoint.
func (h *host) reach(p cdc.Failpoint) {
	h.mu.Lock()
	dead := h.dead
	h.leads = p == cdc.FailPositionRead || p == cdc.FailConfirmed || h.leads && p != cdc.FailLeased
	h.mu.Unlock()
	if !dead {
		h.world.reached(p)
	}
	if t, sprung := h.meets(atFailpoint, func(t *trap) bool { return t.point == p }); sprung {
		h.strike(t, nil)
	}
}

// leading reports whether its capture has had the slot and the position, unless it
// has taken the slot again since.
func (h *host) leading() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leads
}

// roll is a number below n.
func (h *host) roll(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rand.IntN(n)
}

// dialPostgres is a capture's way to Postgres.
func (h *host) dialPostgres(ctx context.Context, _, _ string) (net.Conn, error) {
	h.mu.Lock()
	isolated := h.isolated
	h.mu.Unlock()
	if isolated {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-h.gone:
			return nil, errCut
		}
	}
	w, err := h.wire(postgresAddr, false)
	if err != nil {
		return nil, err
	}
	w.client.tap = func(b []byte) ([]byte, error) { return h.toPostgres(w, b) }
	w.server.tap = func(b []byte) ([]byte, error) { return b, h.operation(w) }
	if err := h.world.postgres.accept(w.server); err != nil {
		return nil, err
	}
	return w.client, nil
}

// dialKafka is a capture's way to Kafka.
func (h *host) dialKafka(ctx context.Context, _, _ string) (net.Conn, error) {
	w, err := h.wire(kafkaAddr, true)
	if err != nil {
		return nil, err
	}
	w.client.tap = func(b []byte) ([]byte, error) { return h.toKafka(w, b) }
	w.server.tap = func(b []byte) ([]byte, error) { return h.fromKafka(w, b) }
	select {
	case h.world.kafka.listener.conns <- w.server:
		return w.client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *host) wire(addr string, kafka bool) (*wire, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead {
		return nil, syscall.ECONNREFUSED
	}
	w := &wire{kafka: kafka, keys: map[int32]int16{}}
	w.client, w.server = newConn(addr, func() time.Duration { return h.delay(kafka) })
	h.wires = append(h.wires, w)
	return w, nil
}

// delay is how long the next bytes are on their way.
func (h *host) delay(kafka bool) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := time.Duration(h.rand.IntN(2000)) * time.Microsecond
	if kafka && h.slow > 0 {
		d += time.Duration(h.rand.Int64N(int64(h.slow)))
	}
	return d
}

// operation counts a write on a wire.
func (h *host) operation(w *wire) error {
	if t, sprung := h.meets(atOperation, anyTime); sprung {
		h.strike(t, w)
		if t.blow == blowCrash || t.blow == blowBreak {
			return errCut
		}
	}
	return nil
}

func (h *host) toPostgres(w *wire, b []byte) ([]byte, error) {
	b = h.world.watchStatus(b)
	return b, h.operation(w)
}

// toKafka sees each request: its size, key, version and correlation id come first.
func (h *host) toKafka(w *wire, b []byte) ([]byte, error) {
	if len(b) >= 12 {
		key, id := int16(binary.BigEndian.Uint16(b[4:])), int32(binary.BigEndian.Uint32(b[8:]))
		h.mu.Lock()
		w.keys[id] = key
		h.mu.Unlock()
		if t, sprung := h.meets(atRequest, func(t *trap) bool { return t.key == key }); sprung {
			h.strike(t, w)
			return nil, errCut
		}
	}
	return b, h.operation(w)
}

// fromKafka sees each answer: its size and correlation id come first.
func (h *host) fromKafka(w *wire, b []byte) ([]byte, error) {
	if len(b) >= 8 {
		id := int32(binary.BigEndian.Uint32(b[4:]))
		h.mu.Lock()
		key := w.keys[id]
		delete(w.keys, id)
		h.mu.Unlock()
		h.world.kafka.learnEpoch(key, b)
		if t, sprung := h.meets(atReply, func(t *trap) bool { return t.key == key }); sprung {
			h.strike(t, w)
			return nil, errCut
		}
	}
	return b, h.operation(w)
}

// cut is the end of the process: nothing more leaves it. What is on its way
// arrives, or not, or in part.
func (h *host) cut() {
	h.mu.Lock()
	if !h.dead {
		close(h.gone)
	}
	h.dead = true
	h.mu.Unlock()
	h.severAll(func(*wire) bool { return true })
}

func (h *host) severAll(which func(*wire) bool) {
	h.mu.Lock()
	wires := slices.Clone(h.wires)
	h.mu.Unlock()
	for _, w := range wires {
		if which(w) {
			h.sever(w)
		}
	}
}

// sever cuts one connection.
func (h *host) sever(w *wire) {
	up := w.client.out
	switch h.roll(3) {
	case 0:
		up.reset(errCut)
	case 1:
		up.end()
	case 2:
		up.tear(h.roll(up.pending() + 1))
	}
	w.client.in.reset(errCut)
}

// isolate parts the host from Postgres, which ends its sessions, while the host
// hears nothing; what it sends to Kafka takes long.
func (h *host) isolate() {
	h.mu.Lock()
	h.isolated, h.slow = true, 3*time.Second
	wires := slices.Clone(h.wires)
	h.mu.Unlock()
	for _, w := range wires {
		if !w.kafka {
			w.client.in.vanish(false)
			w.client.out.vanish(true)
		}
	}
}

// heal ends what isolate began.
func (h *host) heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.isolated, h.slow = false, 0
}

// quicken ends the slowness.
func (h *host) quicken() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow = 0
}
