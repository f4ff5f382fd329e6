package proxy_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"penstock/internal/chaos/proxy"
)

// request is a frame of that kind; its body is longer than a buffer when size asks for it.
func request(key proxy.APIKey, correlation int32, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+size))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	return append(b, bytes.Repeat([]byte{byte(correlation)}, size)...)
}

func response(correlation int32, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+size))
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	return append(b, bytes.Repeat([]byte{byte(correlation)}, size)...)
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// await wants the act done n times, and witnessed by the counters of the kind too.
func await(t *testing.T, p *proxy.Proxy, a *proxy.Armed, act proxy.Act, key proxy.APIKey, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.Await(ctx, n); err != nil {
		t.Fatal(err)
	}
	if got := p.Stats().Acts[act][key]; got != uint64(n) {
		t.Errorf("%s of %d is witnessed %d times, want %d", act, key, got, n)
	}
}

func TestRequestsAreCountedByKind(t *testing.T) {
	for _, slice := range []int{0, 1, 7} {
		p, c := through(t, proxy.Options{Protocol: proxy.Kafka})
		p.SetToxics(proxy.ToServer, proxy.Toxics{Slice: slice})
		all := join(request(proxy.Produce, 1, 40<<10), request(proxy.Metadata, 2, 0), request(proxy.Produce, 3, 1))
		for _, b := range all { // every border
			write(t, c.client, []byte{b})
		}
		expect(t, c.server, all)
		answers := join(response(1, 0), response(2, 40<<10))
		write(t, c.server, answers)
		expect(t, c.client, answers)
		if got := p.Stats().Requests; got[proxy.Produce] != 2 || got[proxy.Metadata] != 1 || len(got) != 2 {
			t.Errorf("got %v, want 2 to produce, 1 for metadata", got)
		}
	}
}

func TestDropRequest(t *testing.T) {
	p, c := through(t, proxy.Options{Protocol: proxy.Kafka})
	a := p.Arm(proxy.Rule{Key: proxy.EndTxn, Nth: 2, Act: proxy.DropRequest})
	before := join(request(proxy.EndTxn, 1, 9), request(proxy.Produce, 2, 20<<10))
	write(t, c.client, join(before, request(proxy.EndTxn, 3, 9)))
	expect(t, c.server, before)
	end(t, c.server, nil)
	end(t, c.client, nil)
	await(t, p, a, proxy.DropRequest, proxy.EndTxn, 1)
}

// The answer to be lost is not the first that comes: requests are pipelined.
func TestDropReply(t *testing.T) {
	p, c := through(t, proxy.Options{Protocol: proxy.Kafka})
	a := p.Arm(proxy.Rule{Key: proxy.EndTxn, Times: 1, Act: proxy.DropReply})
	requests := join(request(proxy.Produce, 7, 100), request(proxy.EndTxn, 8, 9), request(proxy.Produce, 9, 100))
	write(t, c.client, requests)
	expect(t, c.server, requests)
	if a.Done() != 0 {
		t.Error("done before the broker has answered")
	}
	write(t, c.server, join(response(7, 30<<10), response(8, 2)[:5]))
	expect(t, c.client, response(7, 30<<10))
	if a.Done() != 0 {
		t.Error("done before it is known which answer it is")
	}
	write(t, c.server, response(8, 2)[5:])
	end(t, c.client, nil)
	await(t, p, a, proxy.DropReply, proxy.EndTxn, 1)
}

func TestCutAfterRequest(t *testing.T) {
	p, c := through(t, proxy.Options{Protocol: proxy.Kafka})
	a := p.Arm(proxy.Rule{Key: proxy.EndTxn, Act: proxy.CutAfterRequest})
	requests := join(request(proxy.Produce, 1, 1), request(proxy.EndTxn, 2, 30<<10))
	write(t, c.client, requests)
	expect(t, c.server, requests)
	end(t, c.server, nil)
	end(t, c.client, nil)
	await(t, p, a, proxy.CutAfterRequest, proxy.EndTxn, 1)
}

func TestDelayReply(t *testing.T) {
	const delay = 100 * time.Millisecond
	p, c := through(t, proxy.Options{Protocol: proxy.Kafka})
	a := p.Arm(proxy.Rule{Key: proxy.EndTxn, Act: proxy.DelayReply, Delay: delay})
	write(t, c.client, join(request(proxy.Produce, 1, 0), request(proxy.EndTxn, 2, 0)))
	expect(t, c.server, join(request(proxy.Produce, 1, 0), request(proxy.EndTxn, 2, 0)))
	begun := time.Now()
	write(t, c.server, join(response(1, 0), response(2, 0)))
	expect(t, c.client, response(1, 0))
	if took := time.Since(begun); took > delay/2 {
		t.Errorf("the answer before it took %s", took)
	}
	expect(t, c.client, response(2, 0))
	if took := time.Since(begun); took < delay {
		t.Errorf("it took %s, want %s", took, delay)
	}
	await(t, p, a, proxy.DelayReply, proxy.EndTxn, 1)
}

func TestHoldRequest(t *testing.T) {
	for _, how := range []string{"let go", "reset", "left by its client"} {
		t.Run(how, func(t *testing.T) {
			p, c := through(t, proxy.Options{Protocol: proxy.Kafka})
			a := p.Arm(proxy.Rule{Key: proxy.EndTxn, Act: proxy.HoldRequest})
			write(t, c.client, join(request(proxy.Produce, 1, 5), request(proxy.EndTxn, 2, 5), request(proxy.EndTxn, 3, 5)))
			expect(t, c.server, request(proxy.Produce, 1, 5))
			await(t, p, a, proxy.HoldRequest, proxy.EndTxn, 1)
			if got := p.Stats().Bytes[proxy.ToServer]; got != uint64(len(request(proxy.Produce, 1, 5))) {
				t.Errorf("%d bytes went on", got)
			}
			switch how {
			case "reset":
				p.ResetAll()
				end(t, c.server, syscall.ECONNRESET)
				return
			case "left by its client":
				c.client.Close()
			}
			a.Disarm()
			expect(t, c.server, join(request(proxy.EndTxn, 2, 5), request(proxy.EndTxn, 3, 5)))
			await(t, p, a, proxy.HoldRequest, proxy.EndTxn, 1)
			a.Disarm()
		})
	}
}

// picked returns the numbers of the requests that a rule dropped when each comes on a connection of its own.
func picked(t *testing.T, seed uint64, rule proxy.Rule, n int) (numbers []int) {
	t.Helper()
	l := server(t)
	p := listen(t, proxy.Options{Target: l.Addr().String(), Protocol: proxy.Kafka, Seed: seed})
	rule.Act = proxy.DropRequest
	p.Arm(rule)
	for i := range n {
		c := connect(t, p, l)
		write(t, c.client, request(proxy.EndTxn, int32(i), 0))
		if _, err := c.server.Read(make([]byte, 12)); err != nil {
			numbers = append(numbers, i)
		}
		c.client.Close()
		c.server.Close()
	}
	return numbers
}

func TestRulesPick(t *testing.T) {
	for _, c := range []struct {
		name string
		rule proxy.Rule
		want []int
	}{
		{"all of the kind", proxy.Rule{Key: proxy.EndTxn}, []int{0, 1, 2, 3}},
		{"all of any kind", proxy.Rule{Key: proxy.AnyKey}, []int{0, 1, 2, 3}},
		{"none of another kind", proxy.Rule{Key: proxy.Produce}, nil},
		{"the third", proxy.Rule{Key: proxy.EndTxn, Nth: 3}, []int{2}},
		{"the first two", proxy.Rule{Key: proxy.EndTxn, Times: 2}, []int{0, 1}},
		{"by the header", proxy.Rule{Key: proxy.EndTxn, Match: func(r proxy.Request) bool { return r.CorrelationID%2 == 1 }}, []int{1, 3}},
		{"the second of those", proxy.Rule{Key: proxy.AnyKey, Nth: 2, Match: func(r proxy.Request) bool { return r.Version == 4 && r.Connection > 2 }}, []int{3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := picked(t, 1, c.rule, 4); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	half := proxy.Rule{Key: proxy.EndTxn, Probability: 0.5}
	a, b := picked(t, 3, half, 40), picked(t, 3, half, 40)
	if !slices.Equal(a, b) || len(a) < 8 || len(a) > 32 {
		t.Errorf("with one seed got %v and then %v, want the same, about half of 40", a, b)
	}
}

func TestMalformedIsReported(t *testing.T) {
	l := server(t)
	p, err := proxy.Listen(t.Context(), proxy.Options{Target: l.Addr().String(), Protocol: proxy.Kafka})
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, p, l)
	junk := []byte("GET / HTTP/1.1\r\n") // a length of 1.2 GB
	write(t, c.client, junk)
	expect(t, c.server, junk)
	write(t, c.server, []byte{0xff, 0xff, 0xff, 0xff})
	expect(t, c.client, []byte{0xff, 0xff, 0xff, 0xff})
	if got := p.Stats().Malformed; got != 2 {
		t.Errorf("%d streams are malformed, want both", got)
	}
	err = p.Close()
	for _, want := range []string{"connection 1: a request cannot be 1195725856 bytes long", "a response cannot be -1 bytes long"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
