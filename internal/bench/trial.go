package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"penstock/internal/parity"
)

const (
	partitions = 4 // of the table's topic
	// trialTimeout bounds one run.
	trialTimeout = 30 * time.Minute
	dropTimeout  = time.Minute            // for a reader that was ended to leave its slot
	aliveEvery   = 100 * time.Millisecond // between two looks whether a reader still runs
)

// reader reads a copy of the slot.
type reader interface {
	// name is as in --readers; the word behind a colon tells builds of the daemon apart.
	name() string
	// label is what the table calls it.
	label() string
	// version is that of its program.
	version(ctx context.Context) (string, error)
	// prepare starts what the reader needs and the time is not to show. It is called before every run.
	prepare(ctx context.Context, r *Rig) error
	// read starts the reader and returns when its last row can be read. What it started has ended then.
	read(ctx context.Context, t *trial) error
	// writes tells whether the rows are in Kafka then.
	writes() bool
}

// trial is one run of one reader.
type trial struct {
	rig   *Rig
	name  string // of the slot, and the begin of the names of topics
	usage *usage
	from  time.Time // when the time begins to count; zero: when the reader was started
	first time.Time // when the first row could be read; zero if nobody looked
	last  time.Time // when the last one could

	latency *Latency // of a live load
}

// topic is the table's topic.
func (t *trial) topic() string { return t.name + "." + table }

// try lets a reader read a copy of the slot, and looks at what it wrote.
func (r *Rig) try(ctx context.Context, who reader) (run Run, err error) {
	closing := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, trialTimeout, fmt.Errorf("not done within %s", trialTimeout))
	defer cancel()
	if err := who.prepare(ctx, r); err != nil {
		return run, fmt.Errorf("%s: %w", who.name(), err)
	}
	r.runs++
	t := &trial{rig: r, name: fmt.Sprintf("bench_%d", r.runs)}
	if err := t.makeSlot(ctx); err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, t.dropSlot(closing)) }()
	if who.writes() {
		if err := t.createTopics(ctx); err != nil {
			return run, err
		}
		defer func() { err = errors.Join(err, t.removeTopics(closing)) }()
	}
	if run, err = t.measure(ctx, who); err != nil || !who.writes() {
		return run, err
	}
	return run, holdsEach(ctx, r.kafka.Address(), t.topic(), r.loaded)
}

// makeSlot makes a copy of the base slot, or one of its own before an empty table when the rows are yet to come.
func (t *trial) makeSlot(ctx context.Context) error {
	if t.rig.loaded.rate > 0 {
		return t.rig.exec(ctx, "TRUNCATE "+table+", "+endTable, "SELECT pg_create_logical_replication_slot('"+t.name+"', 'pgoutput')")
	}
	return t.rig.exec(ctx, fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', '%s')", baseSlot, t.name))
}

// measure runs the reader, with somebody beside it who looks at the processes.
func (t *trial) measure(ctx context.Context, who reader) (run Run, err error) {
	if t.usage, err = beginUsage(); err != nil {
		return run, err
	}
	if who.writes() {
		if err := t.usage.watch(roleBroker, t.rig.kafka.PID()); err != nil {
			return run, err
		}
	}
	looking, enough := context.WithCancel(ctx)
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		t.usage.keepLooking(looking, func() { t.findWalsender(ctx) })
	}()
	err = who.read(ctx, t)
	enough()
	<-looked
	if err != nil {
		return run, fmt.Errorf("%s: %w", who.name(), err)
	}
	run.Changes = t.rig.loaded.all()
	if t.from.IsZero() {
		t.from = t.usage.began
	}
	run.Latency = t.latency
	run.Seconds = t.last.Sub(t.from).Seconds()
	if !t.first.IsZero() {
		run.First = t.first.Sub(t.usage.began).Seconds()
	}
	return run, t.usage.end(&run)
}

// findWalsender has the slot's walsender watched once there is one.
func (t *trial) findWalsender(ctx context.Context) {
	if t.usage.watches(roleWalsender) {
		return
	}
	var pid int
	err := t.rig.look.QueryRow(ctx, "SELECT coalesce(active_pid, 0) FROM pg_replication_slots WHERE slot_name = $1", t.name).Scan(&pid)
	if err == nil && pid != 0 { // an error shows in what follows the run
		t.usage.watchNew(roleWalsender, pid)
	}
}

// follow returns when the row behind all others can be read by a read-committed consumer, and notes when that was and
// when the first row could; of a live load, when every row can. alive is an error when nothing more is to come.
func (t *trial) follow(ctx context.Context, alive func() error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		every := time.NewTicker(aliveEvery)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
				if err := alive(); err != nil {
					cancel(err)
				}
			}
		}
	}()
	arrive := t.backlog
	if t.rig.loaded.rate > 0 {
		arrive = t.live
	}
	err := arrive(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	t.usage.look()
	cancel(nil)
	<-watched
	return err
}

// backlog returns when the first row and the one behind all can be read.
func (t *trial) backlog(ctx context.Context) error {
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		t.first, err = t.seen(ctx, t.topic())
		return err
	})
	both.Go(func() (err error) {
		t.last, err = t.seen(ctx, t.name+"."+endTable)
		return err
	})
	return both.Wait()
}

// seen returns when a topic's first record can be read.
func (t *trial) seen(ctx context.Context, topic string) (time.Time, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.rig.kafka.Address()), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(1), kgo.FetchMaxPartitionBytes(1)) // the broker sends one batch at least
	if err != nil {
		return time.Time{}, err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		now := time.Now()
		if err := fetches.Err(); err != nil {
			return time.Time{}, fmt.Errorf("read %s: %w", topic, err)
		}
		if !fetches.Empty() {
			return now, nil
		}
	}
}

func (t *trial) createTopics(ctx context.Context) error {
	return t.admin(func(admin *kadm.Client) error {
		for topic, n := range map[string]int32{t.topic(): partitions, t.name + "." + endTable: 1} {
			if _, err := admin.CreateTopic(ctx, n, 1, nil, topic); err != nil {
				return fmt.Errorf("create topic %s: %w", topic, err)
			}
		}
		return nil
	})
}

// removeTopics removes all that begin with the trial's name.
func (t *trial) removeTopics(ctx context.Context) error {
	return t.admin(func(admin *kadm.Client) error {
		all, err := admin.ListTopics(ctx)
		if err != nil {
			return fmt.Errorf("list topics: %w", err)
		}
		for _, topic := range all.Names() {
			if !strings.HasPrefix(topic, t.name+".") {
				continue
			}
			if _, err := admin.DeleteTopic(ctx, topic); err != nil {
				return fmt.Errorf("delete topic %s: %w", topic, err)
			}
		}
		return nil
	})
}

func (t *trial) admin(do func(*kadm.Client) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.rig.kafka.Address()))
	if err != nil {
		return err
	}
	defer client.Close()
	return do(kadm.NewClient(client))
}

// dropSlot waits for the slot's reader to be gone.
func (t *trial) dropSlot(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, dropTimeout, fmt.Errorf("slot %s is still read after %s", t.name, dropTimeout))
	defer cancel()
	return parity.DropSlot(ctx, t.rig.db, t.name)
}
