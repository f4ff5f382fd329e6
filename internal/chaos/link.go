package chaos

import (
	"context"
	"time"

	"penstock/internal/chaos/proxy"
)

// link is a daemon's way to Postgres. Each has one of its own, so that what one
// daemon says is not taken for another's.
type link struct{ *proxy.Proxy }

func (w *common) linkPostgres(ctx context.Context) (*link, error) {
	p, err := proxy.Listen(context.WithoutCancel(ctx), proxy.Options{
		Protocol: proxy.Postgres, Target: w.postgres.Address(), Seed: w.seed,
	})
	return &link{p}, err
}

// shiftClock lets the source's clock be ahead by so much in what the daemon is told.
func (l *link) shiftClock(by time.Duration) { l.SetReplication(proxy.Replication{Clock: by}) }

// linkOf is the daemon's own link.
func (w *common) linkOf(d *Daemon) *link {
	for i := range w.daemons {
		if w.daemons[i] == d {
			return w.links[i]
		}
	}
	return nil
}

// heal lets every byte pass again, everywhere.
func (w *world) heal() {
	w.rig.broker.Refuse(false)
	w.rig.broker.ClearToxics()
	for _, l := range w.links {
		l.Refuse(false)
		l.ClearToxics()
	}
}
