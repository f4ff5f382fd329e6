package proxy

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// feed gives a filter the stream in pieces of the size, as a reader does, and returns what it let through.
func feed(t *testing.T, f filter, stream []byte, size int) (out []byte) {
	t.Helper()
	var buf []byte
	for len(stream) > 0 {
		n := min(size, len(stream))
		buf = append(buf, stream[:n]...)
		stream = stream[n:]
		for {
			pass, v := f.next(buf)
			if pass < 0 || pass > len(buf) || v != nil && pass+v.skip > len(buf) {
				t.Fatalf("%d of %d bytes pass, %+v", pass, len(buf), v)
			}
			out = append(out, buf[:pass]...)
			buf = buf[pass:]
			if v == nil {
				break
			}
			if v.end {
				return out
			}
			buf = buf[v.skip:]
		}
		if len(buf) >= maxHead {
			t.Fatalf("%d bytes are kept waiting", len(buf))
		}
	}
	return append(out, buf...)
}

// FuzzFilters: whatever comes, and however it is parted, passes unchanged when nothing is asked for, without memory of its size.
func FuzzFilters(f *testing.F) {
	kafka := binary.BigEndian.AppendUint32(nil, 12)
	kafka = append(kafka, "\x00\x1a\x00\x04\x00\x00\x00\x07abcd"...)
	f.Add(append(kafka, kafka...), uint8(5))
	f.Add([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f\x00\x00\x00\x09\x00\x03\x00\x00\x00d\x00\x00\x00\x05r"), uint8(1))
	f.Add([]byte("W\x00\x00\x00\x04d\x00\x00\x00\x2fw1234567812345678123456781B1234567812345678abcdZ\x00\x00\x00\x05I"), uint8(3))
	f.Add([]byte("\x7f\xff\xff\xff\x00\x00\x00\x00d\x7f\xff\xff\xffw"), uint8(200))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff"), uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		for _, protocol := range []Protocol{Raw, Kafka, Postgres} {
			p := &Proxy{protocol: protocol}
			p.replication.Store(&Replication{})
			request, response := p.filters(&link{number: 1})
			for _, one := range []filter{request, response} {
				if out := feed(t, one, bytes.Clone(stream), int(size)+1); !bytes.Equal(out, stream) {
					t.Errorf("protocol %d, %T: %d bytes came out of %d, or others", protocol, one, len(out), len(stream))
				}
			}
		}
	})
}

// FuzzFiltersAtWork has everything asked for at once: what comes out is no longer than what went in.
func FuzzFiltersAtWork(f *testing.F) {
	f.Add([]byte("W\x00\x00\x00\x04d\x00\x00\x00\x2fw1234567812345678123456781B1234567812345678abcdd\x00\x00\x00\x05k"), uint8(3))
	f.Add([]byte("\x00\x00\x00\x08\x00\x03\x00\x00d\x00\x00\x00\x26r1234567812345678123456781234567801"), uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		for _, act := range []Act{DropRequest, DropReply, CutAfterRequest, DelayReply, HoldRequest} {
			for _, protocol := range []Protocol{Kafka, Postgres} {
				p := &Proxy{protocol: protocol}
				p.replication.Store(&Replication{Clock: 1 << 62, DropKeepalives: true, DropStatus: true})
				a := p.Arm(Rule{Key: AnyKey, Act: act})
				a.Disarm()
				p.rules.armed = append(p.rules.armed, a) // nobody waits for what it holds
				request, response := p.filters(&link{number: 1})
				if server, ok := response.(*pgServer); ok {
					server.session.streaming.Store(true)
				}
				for _, one := range []filter{request, response} {
					if out := feed(t, one, bytes.Clone(stream), int(size)+1); len(out) > len(stream) {
						t.Errorf("%s, protocol %d, %T: %d bytes came out of %d", act, protocol, one, len(out), len(stream))
					}
				}
			}
		}
	})
}

// A frame's length allocates nothing, however huge it says it is.
func TestFiltersDoNotAllocate(t *testing.T) {
	huge := binary.BigEndian.AppendUint32(nil, maxRequest)
	huge = append(huge, make([]byte, bufferSize)...)
	frames := map[Protocol][2][]byte{
		Kafka:    {huge, huge},
		Postgres: {append([]byte("\x00\x00\x00\x08\x00\x03\x00\x00Q\x7f\xff\xff\xff"), huge...), append([]byte("D\x7f\xff\xff\xff"), huge...)},
	}
	for protocol, streams := range frames {
		p := &Proxy{protocol: protocol}
		p.replication.Store(&Replication{})
		p.stats.request(0) // its map
		request, response := p.filters(&link{number: 1})
		for i, f := range []filter{request, response} {
			if n := testing.AllocsPerRun(100, func() { f.next(streams[i]) }); n > 0 {
				t.Errorf("protocol %d, %T allocates %v times", protocol, f, n)
			}
		}
		if n := p.Stats().Malformed; n > 0 {
			t.Errorf("protocol %d: %d streams are malformed", protocol, n)
		}
	}
}
