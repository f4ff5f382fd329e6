package parity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	copyPartitions = 4
	// warmRows are read by both before the time counts, so that neither pays for what the broker's JVM has yet to compile.
	warmRows = 1_000_000
	// copyTimeout bounds the copy of one reader.
	copyTimeout = 2 * time.Hour
	// copyDone is what the daemon's log says at the end of a backfill.
	copyDone = `"message":"backfill is done"`
)

// sample is a table that is read: its name is that of its publication, too, and what the readers' slots begin with.
type sample struct {
	name string
	rows int64
}

func (s sample) table() string { return "public." + s.name }

// Snapshots measures, one after the other and on servers that are warm, how fast a table of so many rows is read by COPY to nowhere,
// by the daemon at the path binary into a topic, and by the connector into another: the same
// partitions, acknowledgements and compression. A topic that does not hold each row once is an error.
func Snapshots(ctx context.Context, r *Rig, binary string, rows int64) (*Copies, error) {
	measured, warm := sample{"parity_copy", rows}, sample{"parity_warm", min(rows, warmRows)}
	for _, s := range []sample{warm, measured} {
		if err := r.fillSample(ctx, s); err != nil {
			return nil, err
		}
	}
	if _, err := r.copiedByBoth(ctx, warm, binary); err != nil {
		return nil, err
	}
	all, err := r.copiedByBoth(ctx, measured, binary)
	if err != nil {
		return nil, err
	}
	all.Nowhere, all.Bytes, err = r.copyNowhere(ctx, measured)
	return all, err
}

func (r *Rig) fillSample(ctx context.Context, s sample) error {
	r.say("fill a table with %d rows", s.rows)
	return r.exec(ctx,
		"CREATE TABLE "+s.table()+" (id bigint PRIMARY KEY, token uuid NOT NULL, body text NOT NULL, attributes jsonb NOT NULL, at timestamptz NOT NULL)",
		fmt.Sprintf(`INSERT INTO %s SELECT i, md5(i::text)::uuid, repeat(md5(i::text), 3) || 'abcd',
			jsonb_build_object('n', i, 'tag', md5((i + 1)::text), 'note', repeat(md5((i + 2)::text), 2) || repeat('x', 14)),
			'2026-01-01'::timestamptz + i * interval '1 second' FROM generate_series(1, %d) i`, s.table(), s.rows),
		"VACUUM (ANALYZE) "+s.table(), "CHECKPOINT",
		"CREATE PUBLICATION "+s.name+" FOR TABLE "+s.table())
}

func (r *Rig) copiedByBoth(ctx context.Context, s sample, binary string) (all *Copies, err error) {
	all = &Copies{Rows: s.rows}
	if all.Penstock, err = r.copied(ctx, s, "penstock", func(ctx context.Context, name string, began func() error) (Copy, error) {
		return r.copyByDaemon(ctx, s, name, binary, began)
	}); err != nil {
		return nil, err
	}
	all.Debezium, err = r.copied(ctx, s, "debezium", func(ctx context.Context, name string, began func() error) (Copy, error) {
		return r.copyByConnector(ctx, s, name, began)
	})
	return all, err
}

// copyNowhere reads the table twice, so that both find it in the cache that the second is measured with.
func (r *Rig) copyNowhere(ctx context.Context, s sample) (c Copy, bytes int64, err error) {
	for range 2 {
		var n counter
		began := time.Now()
		if _, err := r.db.PgConn().CopyTo(ctx, &n, "COPY "+s.table()+" TO STDOUT"); err != nil {
			return c, 0, err
		}
		c.Took, bytes = time.Since(began), int64(n)
	}
	return c, bytes, nil
}

// counter counts bytes.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// reading lets a reader copy the table into the topic of a name, and calls began now and then.
type reading func(ctx context.Context, name string, began func() error) (Copy, error)

// copied lets a reader copy the table into a new topic, which it then looks at and removes. The reader says by
// calling began whether the topic has a first row: the time runs from there, so that no start-up is in it.
func (r *Rig) copied(ctx context.Context, s sample, who string, read reading) (c Copy, err error) {
	closing := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, copyTimeout, fmt.Errorf("%s did not copy the table within %s", who, copyTimeout))
	defer cancel()
	name := s.name + "_" + who
	topic := name + "." + s.table()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Address()))
	if err != nil {
		return c, err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, copyPartitions, 1, nil, topic); err != nil {
		return c, err
	}
	r.say("%s copies the table of %d rows", who, s.rows)
	var first time.Time
	c, err = read(ctx, name, func() error {
		if first.IsZero() {
			n, err := r.committed(ctx, topic)
			if err != nil || n == 0 {
				return err
			}
			first = time.Now()
		}
		return nil
	})
	if err == nil {
		c.Took = time.Since(first)
		r.say("%s is done after %s: look at what the topic holds", who, c.Took.Round(time.Millisecond))
		err = r.holdsEach(ctx, topic, s.rows)
	}
	if err == nil {
		err = r.dropSlot(ctx, name)
	}
	return c, errors.Join(err, r.removeTopics(closing, Pass{Name: name}))
}

// copyByDaemon returns when the daemon says that its backfill is done.
func (r *Rig) copyByDaemon(ctx context.Context, s sample, name, binary string, began func() error) (c Copy, err error) {
	dir := filepath.Join(r.dir, name)
	text := fmt.Sprintf("source:\n  dsn: %q\n  name: %s\n  slot: %s\n  publication: %s\n  tables: [%s]\n"+
		"kafka:\n  brokers: [%q]\n  partitions: %d\n  position_topic: %s.position\n  transaction_topic: %s.commits\n"+
		"backfill: { policy: initial }\nlog: { format: json }\n",
		r.postgres.DSN(), name, name, s.name, s.table(), r.kafka.Address(), copyPartitions, name, name)
	if err := errors.Join(os.MkdirAll(dir, 0o750), os.WriteFile(filepath.Join(dir, "penstock.yaml"), []byte(text), 0o600)); err != nil {
		return c, err
	}
	d := startDaemon(ctx, binary, dir, "")
	err = Eventually(ctx, func() (bool, error) {
		if err := errors.Join(d.Alive(), began()); err != nil {
			return false, err
		}
		log, err := os.ReadFile(filepath.Join(dir, "log"))
		return strings.Contains(string(log), copyDone), err
	})
	c.Memory = peakMemory(d.PID())
	return c, errors.Join(err, d.End())
}

// copyByConnector returns when the topic has as many records as there are rows. What is set is for throughput; acknowledgements,
// compression and the size of a batch are the daemon's. With several snapshot.max.threads the connector reads parts of the
// table without a cursor, until its heap is full.
func (r *Rig) copyByConnector(ctx context.Context, s sample, name string, began func() error) (c Copy, err error) {
	config, err := r.connectorConfig(Pass{Name: name, Content: Content(s.name), Settings: map[string]string{
		"snapshot.mode": "initial", "snapshot.fetch.size": "10000",
		"max.batch.size": "4096", "max.queue.size": "16384", "poll.interval.ms": "10",
		"producer.override.acks": "all", "producer.override.compression.type": "snappy",
		"producer.override.batch.size": "1000012", "producer.override.linger.ms": "10", "producer.override.buffer.memory": "67108864",
	}}, name)
	if err != nil {
		return c, err
	}
	if err := r.connect.Create(ctx, name, config); err != nil {
		return c, err
	}
	err = Eventually(ctx, func() (bool, error) {
		// A worker that has much to do may not answer in time; the copy's own limit holds.
		if _, err := r.connect.Running(ctx, name); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return false, err
		}
		if err := began(); err != nil {
			return false, err
		}
		n, err := r.committed(ctx, name+"."+s.table())
		return n >= s.rows, err
	})
	c.Memory = peakMemory(r.connect.PID())
	return c, errors.Join(err, r.connect.Delete(context.WithoutCancel(ctx), name))
}

// committed sums the ends of a topic's partitions.
func (r *Rig) committed(ctx context.Context, topic string) (n int64, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Address()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	for _, end := range ends.Offsets().Sorted() {
		n += end.At
	}
	return n, nil
}

// holdsEach is an error unless a topic has one record of each row.
func (r *Rig) holdsEach(ctx context.Context, topic string, rows int64) error {
	seen, n := make([]bool, rows+1), int64(0)
	err := r.scan(ctx, topic, func(record *kgo.Record) error {
		var id int64
		if _, err := fmt.Sscanf(string(record.Key), `{"id":%d}`, &id); err != nil {
			return fmt.Errorf("key %.100q: %w", record.Key, err)
		}
		if id < 1 || id > rows || seen[id] || len(record.Value) == 0 {
			return fmt.Errorf("the record of row %d is one too many, or says nothing", id)
		}
		seen[id] = true
		n++
		return nil
	})
	if err == nil && n != rows {
		err = fmt.Errorf("it has %d of %d rows", n, rows)
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	return nil
}
