package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/workload"
	"penstock/internal/stack"
)

// common is what a run of any scenario has for its own: a database, daemons and a
// load, with what is seen of them.
type common struct {
	*witnesses
	scenario *Scenario
	rig      *Rig
	size     Size
	seed     uint64
	random   *rand.Rand
	name     string // of database, slot and topics
	dir      string // for configuration and logs

	postgres  *stack.Instance // the rig's, or the run's own primary
	source    *source
	spills    bool // the server is to spill every larger transaction to its disk
	unchecked bool // nothing is held against the source
	full      bool // it runs at its full size
	load      *workload.Load
	loaded    chan loadEnd // one, when the load has ended
	daemons   []*Daemon    // all of them
	links     []*link      // to Postgres, one a daemon
}

// newCommon is a run of the scenario, of which nothing exists yet but its folder.
func (r *Rig) newCommon(s *Scenario, size Size, seed uint64, heard func(ledger.Kind)) (*common, error) {
	c := &common{
		witnesses: &witnesses{heard: heard}, scenario: s, rig: r, size: size, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), name: r.unique(s.ID),
		postgres: r.postgres, unchecked: s.refuses, full: size.Faults >= s.Full.Faults && size.Events >= s.Full.Events,
		spills: seed%2 == 0, // half of the runs
	}
	c.dir = filepath.Join(r.dir, c.name)
	return c, os.MkdirAll(c.dir, 0o750)
}

// createDatabase makes the run's own on its server.
func (w *common) createDatabase(ctx context.Context) error {
	admin := &source{dsn: w.postgres.DSN()}
	if err := admin.exec(ctx, "CREATE DATABASE "+w.name); err != nil {
		return err
	}
	if w.spills {
		if err := admin.exec(ctx, "ALTER DATABASE "+w.name+" SET logical_decoding_work_mem = '64kB'"); err != nil {
			return err
		}
	}
	dsn, err := withDatabase(w.postgres.DSN(), w.name)
	w.source = &source{dsn: dsn, slot: w.name}
	return err
}

func (w *common) topic(name string) string { return w.name + "." + name }

// startDaemon starts another daemon, with a link of its own, whose configuration is
// what text makes of the link; args follow `penstock run -c FILE`.
func (w *common) startDaemon(ctx context.Context, text func(*link) (string, error), args ...string) (*Daemon, error) {
	name := fmt.Sprintf("daemon%d", len(w.daemons)+1)
	link, err := w.linkPostgres(ctx)
	if err != nil {
		return nil, err
	}
	w.links = append(w.links, link)
	yaml, err := text(link)
	if err != nil {
		return nil, err
	}
	d := &Daemon{
		Name: name, binary: w.rig.binary, spawner: w.rig.spawner, args: args,
		config: filepath.Join(w.dir, name+".yaml"), log: filepath.Join(w.dir, name+".log"),
	}
	if err := os.WriteFile(d.config, []byte(yaml), 0o600); err != nil {
		return nil, err
	}
	d.start(ctx)
	w.daemons = append(w.daemons, d)
	return d, nil
}

func (w *common) awaitStreaming(ctx context.Context) error {
	return found(Stuck, eventually(ctx, upTimeout, "a daemon to stream from slot "+w.name, func(ctx context.Context) (string, error) {
		streams, err := w.source.streams(ctx)
		if !streams {
			return "nobody streams", err
		}
		return "", err
	}))
}

// between is a random duration.
func (w *common) between(from, to time.Duration) time.Duration {
	return from + time.Duration(w.random.Int64N(int64(to-from)))
}

// awaitCaptured returns when the slot is confirmed to all that is committed by now.
func (w *common) awaitCaptured(ctx context.Context) error {
	end, err := w.source.logEnd(ctx)
	if err != nil {
		return err
	}
	return found(Stuck, eventually(ctx, catchUpTimeout, "the slot to be confirmed up to "+end.String(), func(ctx context.Context) (string, error) {
		confirmed, err := w.source.confirmed(ctx)
		if confirmed < end {
			return "it is at " + confirmed.String(), err
		}
		return "", err
	}))
}
