package cdc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// outage is what happens to one request on its way to Kafka.
type outage int

const (
	requestLost outage = iota // the broker never sees it
	replyLost                 // the broker acts on it, and the answer is dropped
)

func (o outage) String() string { return [...]string{"request lost", "reply lost"}[o] }

var errOutage = errors.New("the test cut the connection")

// network lies between a capture and the broker and cuts the connection once, at
// a request that pick chooses.
type network struct {
	kind outage
	pick func(apiKey int16, number int) bool

	mu    sync.Mutex
	total int // guarded by mu
	hits  int // guarded by mu
}

// dial puts the network in between.
func (n *network) dial(ctx context.Context, network, host string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	return &cutConn{Conn: conn, network: n}, nil
}

// strikes counts a request and says whether it is the one.
func (n *network) strikes(apiKey int16) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.total++
	if n.hits > 0 || !n.pick(apiKey, n.total) {
		return false
	}
	n.hits++
	return true
}

func (n *network) struck() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hits > 0
}

// cutConn sees whole requests: the client writes each in one call. A request is
// its length in 4 bytes, then the API key in 2.
type cutConn struct {
	net.Conn
	network *network
	drop    atomic.Bool // the next bytes from the broker
}

func (c *cutConn) Write(request []byte) (int, error) {
	const header = 6
	if len(request) < header || !c.network.strikes(int16(binary.BigEndian.Uint16(request[4:header]))) {
		return c.Conn.Write(request)
	}
	if c.network.kind == replyLost {
		c.drop.Store(true)
		return c.Conn.Write(request)
	}
	return 0, errors.Join(errOutage, c.Conn.Close())
}

// Read drops the answer that it was told to, once its first bytes say that the
// broker has acted. That may be the answer to an earlier request in flight; then
// this one is lost or not, as in real life.
func (c *cutConn) Read(answer []byte) (int, error) {
	n, err := c.Conn.Read(answer)
	if err == nil && c.drop.Load() {
		return 0, errors.Join(errOutage, c.Conn.Close())
	}
	return n, err
}

// kafkaLine is the way to Kafka, and can be cut for longer.
type kafkaLine struct{ cut atomic.Bool }

func (c *kafkaLine) dial(ctx context.Context, network, host string) (net.Conn, error) {
	if c.cut.Load() {
		return nil, errOutage
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	return &lineConn{Conn: conn, line: c}, nil
}

type lineConn struct {
	net.Conn
	line *kafkaLine
}

func (c *lineConn) Write(request []byte) (int, error) {
	if c.line.cut.Load() {
		return 0, errors.Join(errOutage, c.Close())
	}
	return c.Conn.Write(request)
}

const apiEndTxn = 26

// TestInDoubtCommit: when the answer to EndTxn is lost, only the position topic
// knows what became of the transaction.
func TestInDoubtCommit(t *testing.T) {
	for _, kind := range []outage{requestLost, replyLost} {
		t.Run(kind.String(), func(t *testing.T) {
			n := &network{kind: kind}
			ends := 0
			n.pick = func(key int16, _ int) bool {
				if key == apiEndTxn {
					ends++
				}
				return ends == 3 // the first is the initial position's
			}
			s := newSource(t)
			s.cfg.DialKafka = n.dial
			s.deliverThrough(t, n)
		})
	}
}

// TestOutageAtEveryThirdRequest cuts the connection at one of the first requests
// that a new capture makes, from creating its topics to its first transactions.
func TestOutageAtEveryThirdRequest(t *testing.T) {
	const most = 36
	for _, kind := range []outage{requestLost, replyLost} {
		for at := 1; at <= most; at += 3 {
			t.Run(fmt.Sprintf("%s %d", kind, at), func(t *testing.T) {
				t.Parallel()
				n := &network{kind: kind, pick: func(_ int16, number int) bool { return number == at }}
				s := newSource(t)
				s.cfg.DialKafka = n.dial
				s.deliverThrough(t, n)
			})
		}
	}
}

// deliverThrough writes until the network has struck and a little longer, and
// wants every change exactly once.
func (s *source) deliverThrough(t *testing.T, n *network) {
	t.Helper()
	c := s.startStreaming()
	rows, after := 0, 0
	for ; after < 2 && rows < 60; rows++ {
		if n.struck() {
			after++
		}
		s.exec(fmt.Sprintf("INSERT INTO events VALUES (%d, 'c%d', 1)", rows, rows%5))
		s.read(s.cfg.Tables[1].Topic, rows+1)
	}
	c.finish()
	if !n.struck() {
		t.Fatalf("%d rows went through without the outage", rows)
	}
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, rows)); got != rows {
		t.Errorf("%d changes in the topic, want %d", got, rows)
	}
	if got, want := s.confirmed(), s.position().EndLSN; got != want {
		t.Errorf("the slot is confirmed to %s, the position is %s", got, want)
	}
}
