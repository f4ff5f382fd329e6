package proxy_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"penstock/internal/chaos/proxy"
)

// message is one with a kind.
func message(kind byte, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(all))), all...)
}

func startup(code uint32, rest string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(rest)))
	return append(binary.BigEndian.AppendUint32(b, code), rest...)
}

func int64s(values ...int64) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// xlog is CopyData with a pgoutput message.
func xlog(payload ...[]byte) []byte {
	return message('d', []byte("w"), int64s(1, 2, 3), bytes.Join(payload, nil))
}

func status(flushed int64) []byte {
	return message('d', []byte("r"), int64s(flushed+1, flushed, flushed, 99), []byte{1})
}

// transactions are all messages with a commit timestamp, which is at, among some that have none.
func transactions(at int64) []byte {
	return join(
		xlog([]byte("B"), int64s(10, at), []byte{0, 0, 0, 7}),
		xlog([]byte("I"), bytes.Repeat([]byte("BCc"), 20<<10)),
		xlog([]byte("C\x00"), int64s(10, 11, at)),
		xlog([]byte("c\x00\x00\x00\x07\x00"), int64s(10, 11, at)),
		xlog([]byte("B")), // cut short: not ours to judge
		xlog(),
		message('d'),
	)
}

// streaming starts a session up to the streaming copy.
func streaming(t *testing.T) (*proxy.Proxy, pair) {
	t.Helper()
	p, c := through(t, proxy.Options{Protocol: proxy.Postgres})
	ask, start := startup(80877103, ""), startup(196608, "user\x00u\x00replication\x00database\x00\x00")
	write(t, c.client, ask)
	expect(t, c.server, ask)
	write(t, c.server, []byte("N"))
	expect(t, c.client, []byte("N"))
	query := join(start, message('Q', []byte("START_REPLICATION\x00")))
	write(t, c.client, query)
	expect(t, c.server, query)
	answer := join(message('R', []byte{0, 0, 0, 0}), message('Z', []byte("I")), message('W', []byte{0, 0, 0}))
	write(t, c.server, answer)
	expect(t, c.client, answer)
	return p, c
}

func TestClockIsShifted(t *testing.T) {
	const at = 800_000_000_000_000
	for _, slice := range []bool{false, true} {
		p, c := streaming(t)
		send := func(data []byte) {
			if !slice {
				write(t, c.server, data)
				return
			}
			head := min(len(data), 200) // every border of the first
			for i := range head {
				write(t, c.server, data[i:i+1])
			}
			write(t, c.server, data[head:])
		}
		send(transactions(at))
		expect(t, c.client, transactions(at))
		for i, by := range []time.Duration{time.Hour, -time.Hour} {
			p.SetReplication(proxy.Replication{Clock: by})
			send(transactions(at))
			expect(t, c.client, transactions(at+by.Microseconds()))
			if got := p.Stats().Shifted; got != uint64(3*(i+1)) {
				t.Errorf("%d timestamps shifted, want 3 each time", got)
			}
		}
		if s := p.Stats(); s.ShiftMin != -time.Hour || s.ShiftMax != time.Hour {
			t.Errorf("shifted by %s to %s", s.ShiftMin, s.ShiftMax)
		}
	}
}

func TestConfirmationsAreWitnessed(t *testing.T) {
	p, c := streaming(t)
	all := join(status(0), status(0x1234), message('d', []byte("r")), status(0x5678))
	write(t, c.client, all)
	expect(t, c.server, all)
	eventually(t, "three status updates", func() bool { return p.Stats().StatusUpdates == 3 })
	if s := p.Stats(); s.Confirming != 2 || s.Flushed != 0x5678 {
		t.Errorf("%d confirm something, the last %x", s.Confirming, s.Flushed)
	}
	p.SetReplication(proxy.Replication{DropStatus: true})
	write(t, c.client, join(status(0x9999), message('c')))
	expect(t, c.server, message('c'))
	if s := p.Stats(); s.StatusDropped != 1 || s.StatusUpdates != 3 || s.Flushed != 0x5678 {
		t.Errorf("got %+v, want 1 dropped and nothing else new", s)
	}
}

// What was not written to the server has confirmed nothing.
func TestLostConfirmationIsNone(t *testing.T) {
	p, c := streaming(t)
	p.SetToxics(proxy.ToServer, proxy.Toxics{Swallow: true})
	write(t, c.client, status(0x1234))
	eventually(t, "the update to be lost", func() bool { return p.Stats().Swallowed[proxy.ToServer] == uint64(len(status(0))) })
	if s := p.Stats(); s.StatusUpdates != 0 || s.Flushed != 0 {
		t.Errorf("%d updates, flushed %x", s.StatusUpdates, s.Flushed)
	}
}

func TestKeepalives(t *testing.T) {
	p, c := streaming(t)
	alive := message('d', []byte("k"), int64s(1, 2), []byte{1})
	write(t, c.server, alive)
	expect(t, c.client, alive)
	p.SetReplication(proxy.Replication{DropKeepalives: true})
	write(t, c.server, join(alive, transactions(5), alive, message('c')))
	expect(t, c.client, join(transactions(5), message('c')))
	if s := p.Stats(); s.Keepalives != 3 || s.KeepalivesDropped != 2 {
		t.Errorf("got %d keepalives, %d dropped, want 3 and 2", s.Keepalives, s.KeepalivesDropped)
	}
}

// A COPY of rows is not a replication stream, however much it looks like one.
func TestOtherCopiesAreLeftAlone(t *testing.T) {
	p, c := streaming(t)
	p.SetReplication(proxy.Replication{Clock: time.Hour, DropKeepalives: true, DropStatus: true})
	down := join(message('Z', []byte("I")), message('H', []byte{0, 0, 0}), transactions(5), message('d', []byte("k234567890")))
	write(t, c.server, down)
	expect(t, c.client, down)
	write(t, c.client, status(1))
	expect(t, c.server, status(1))
	if s := p.Stats(); s.Shifted+s.Keepalives+s.StatusUpdates+s.StatusDropped != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestMalformedPostgresIsReported(t *testing.T) {
	for _, c := range []struct {
		name     string
		up, down []byte
		want     string
	}{
		{"start-up", []byte{0, 0, 0, 7, 1, 2, 3, 4, 5}, nil, "a start-up message cannot be 7 bytes long"},
		{"huge start-up", []byte{0x7f, 0, 0, 0, 1, 2, 3, 4, 5}, nil, "a start-up message cannot be"},
		{"client", join(startup(196608, "\x00"), []byte{'Q', 0, 0, 0, 3, 7}), nil, `a message of kind 'Q' cannot be 3 bytes long`},
		{"server", startup(196608, "\x00"), []byte{'d', 0xff, 0xff, 0xff, 0xff, 7}, `a message of kind 'd' cannot be -1 bytes long`},
		{"encryption", startup(80877103, ""), []byte("S\x16\x03\x01"), "the server encrypts; fix: sslmode=disable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := server(t)
			p, err := proxy.Listen(t.Context(), proxy.Options{Target: l.Addr().String(), Protocol: proxy.Postgres})
			if err != nil {
				t.Fatal(err)
			}
			conn := connect(t, p, l)
			write(t, conn.client, c.up)
			expect(t, conn.server, c.up)
			write(t, conn.server, c.down)
			expect(t, conn.client, c.down)
			if err := p.Close(); err == nil || !strings.Contains(err.Error(), c.want) || p.Stats().Malformed != 1 {
				t.Errorf("got %v, %d malformed, want %q", err, p.Stats().Malformed, c.want)
			}
		})
	}
}
