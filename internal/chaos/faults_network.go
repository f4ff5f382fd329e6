package chaos

import (
	"context"
	"time"

	"penstock/internal/chaos/proxy"
)

func networkScenarios() []Scenario {
	return []Scenario{
		{
			ID: "N1-postgres", What: "the network between daemon and Postgres is slow, torn, silent",
			Short: Size{len(weathers()), 3_000}, Full: Size{2 * len(weathers()), 80_000}, run: weatherOnPostgres,
		}, {
			ID: "N1-kafka", What: "the network between daemon and Kafka is slow, torn, silent",
			Short: Size{len(weathers()), 3_000}, Full: Size{2 * len(weathers()), 80_000}, run: weatherOnKafka,
		},
	}
}

// weather is one way in which a network may be bad, and what the proxy counts of it.
type weather struct {
	name    string
	lasts   time.Duration
	toxics  [2]proxy.Toxics // by direction
	witness func(s proxy.Stats) uint64
	act     func(p *proxy.Proxy) // beside the toxics; nil: nothing
}

func weathers() []weather {
	both := func(t proxy.Toxics) [2]proxy.Toxics { return [2]proxy.Toxics{t, t} }
	return []weather{
		{
			name: "latency", lasts: 5 * time.Second, toxics: both(proxy.Toxics{Latency: 200 * time.Millisecond, Jitter: 100 * time.Millisecond}),
			witness: func(s proxy.Stats) uint64 { return s.Delayed[0] + s.Delayed[1] },
		}, {
			name: "resets", lasts: 6 * time.Second, toxics: both(proxy.Toxics{Reset: 0.02}),
			witness: func(s proxy.Stats) uint64 { return s.Resets },
		}, {
			name: "reset", lasts: time.Second, act: func(p *proxy.Proxy) { p.ResetAll() },
			witness: func(s proxy.Stats) uint64 { return s.Resets },
		}, {
			name: "half-close to server", lasts: 3 * time.Second, toxics: [2]proxy.Toxics{{HalfClose: true}, {}},
			witness: func(s proxy.Stats) uint64 { return s.HalfClosed[0] },
		}, {
			name: "half-close to client", lasts: 3 * time.Second, toxics: [2]proxy.Toxics{{}, {HalfClose: true}},
			witness: func(s proxy.Stats) uint64 { return s.HalfClosed[1] },
		}, {
			name: "blackhole", lasts: 12 * time.Second, toxics: both(proxy.Toxics{Swallow: true}),
			witness: func(s proxy.Stats) uint64 { return s.Swallowed[0] + s.Swallowed[1] },
		}, {
			name: "stall", lasts: 8 * time.Second, toxics: both(proxy.Toxics{Stall: true}),
			witness: func(s proxy.Stats) uint64 { return s.Stalled[0] + s.Stalled[1] },
		}, {
			name: "slicer", lasts: 3 * time.Second, toxics: both(proxy.Toxics{Slice: 1}),
			witness: func(s proxy.Stats) uint64 { return s.Sliced[0] + s.Sliced[1] },
		}, {
			name: "bandwidth", lasts: 5 * time.Second, toxics: both(proxy.Toxics{Bandwidth: 64 << 10}),
			witness: func(s proxy.Stats) uint64 { return s.Throttled[0] + s.Throttled[1] },
		},
	}
}

func weatherOnPostgres(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	return w.weather(ctx, w.linkOf(w.daemon).Proxy)
}

func weatherOnKafka(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	return w.weather(ctx, w.rig.broker)
}

// weather lets a link go through every weather in a random order, as often as the size asks for.
func (w *world) weather(ctx context.Context, p *proxy.Proxy) error {
	all := weathers()
	for round := 0; round < w.size.Faults; round += len(all) {
		for _, i := range w.random.Perm(len(all)) {
			if err := w.blow(ctx, p, all[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) blow(ctx context.Context, p *proxy.Proxy, of weather) error {
	if err := w.inject(ctx); err != nil {
		return err
	}
	before := of.witness(p.Stats())
	p.SetToxics(proxy.ToServer, of.toxics[proxy.ToServer])
	p.SetToxics(proxy.ToClient, of.toxics[proxy.ToClient])
	if of.act != nil {
		of.act(p)
	}
	err := pause(ctx, of.lasts)
	p.ClearToxics()
	healed := time.Now()
	if err != nil {
		return err
	}
	if n := of.witness(p.Stats()) - before; n > 0 {
		w.witness("%s: %d times, by the proxy", of.name, n)
	} else {
		w.miss("%s: the proxy did nothing", of.name)
	}
	return w.awaitRecovery(ctx, healed)
}
