package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

const (
	clients = 8 // connections that commit in turn: a commit may take that many times the pause between two
	// arriveTimeout bounds how long the last changes may be on their way.
	arriveTimeout = time.Minute
)

// Latency is how long changes were on their way, in milliseconds.
type Latency struct {
	P50  float64 `json:"p50_ms"` // from the client's return from COMMIT until a read-committed consumer has the record
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Most float64 `json:"most_ms"`
	Late float64 `json:"late_p99_ms"` // by which the commit was begun after its time: the load was not held if it is large
}

// instants are when something happened to each change, counted from one moment; 0: not yet.
type instants []time.Duration

// live commits rows at a steady rate once the reader streams, and returns when a read-committed consumer has every one.
func (t *trial) live(ctx context.Context) error {
	if err := t.rig.exec(ctx, "INSERT INTO "+endTable+" VALUES (1)"); err != nil {
		return err
	}
	if _, err := t.seen(ctx, t.name+"."+endTable); err != nil {
		return err
	}
	n := t.rig.loaded.rows
	begun, committed, visible := make(instants, n), make(instants, n), make(instants, n)
	t.from = time.Now()
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return t.consume(ctx, visible) })
	for client := range int64(clients) {
		both.Go(func() error { return t.commit(ctx, client, begun, committed) })
	}
	if err := both.Wait(); err != nil {
		return err
	}
	t.last = t.from.Add(slices.Max(visible))
	t.latency = latency(t.due, begun, committed, visible)
	return nil
}

// due is when change i is to be committed.
func (t *trial) due(i int) time.Duration {
	return time.Duration(i) * time.Second / time.Duration(t.rig.loaded.rate)
}

// commit inserts every row of a client, each in a transaction of its own, when it is due.
func (t *trial) commit(ctx context.Context, client int64, begun, committed instants) (err error) {
	db, err := pgx.Connect(ctx, t.rig.postgres.DSN())
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	insert := fmt.Sprintf("INSERT INTO %s SELECT %s FROM (SELECT $1::bigint AS i) one", table, plainRow)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := int(client); i < len(begun); i += clients {
		timer.Reset(t.due(i) - time.Since(t.from))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		begun[i] = time.Since(t.from)
		if _, err := db.Exec(ctx, insert, i+1); err != nil {
			return fmt.Errorf("commit row %d: %w", i+1, err)
		}
		committed[i] = time.Since(t.from)
	}
	return nil
}

// consume notes when each record could be read.
func (t *trial) consume(ctx context.Context, visible instants) error {
	wait := t.due(len(visible)) + arriveTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("not every change can be read after %s", wait))
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(t.rig.kafka.Address()), kgo.ConsumeTopics(t.topic()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer client.Close()
	for left := len(visible); left > 0; {
		fetches := client.PollFetches(ctx)
		now := time.Since(t.from)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", t.topic(), err)
		}
		for _, record := range fetches.Records() {
			id, err := idOf(record)
			if err != nil {
				return err
			}
			if id < 1 || id > int64(len(visible)) {
				return fmt.Errorf("no row %d was written", id)
			}
			if visible[id-1] == 0 { // a second one is found when all are counted
				visible[id-1] = now
				left--
			}
		}
	}
	return nil
}

// latency sums up. A record that was read before the client knew of its commit took no time.
func latency(due func(i int) time.Duration, begun, committed, visible instants) *Latency {
	took, late := make([]float64, len(visible)), make([]float64, len(visible))
	milliseconds := func(d time.Duration) float64 { return max(0, float64(d)/float64(time.Millisecond)) }
	for i := range visible {
		took[i], late[i] = milliseconds(visible[i]-committed[i]), milliseconds(begun[i]-due(i))
	}
	slices.Sort(took)
	slices.Sort(late)
	return &Latency{
		P50: percentile(took, 0.5), P99: percentile(took, 0.99), P999: percentile(took, 0.999), Most: took[len(took)-1],
		Late: percentile(late, 0.99),
	}
}

// percentile is the least of sorted values that so large a part of them does not exceed.
func percentile(sorted []float64, part float64) float64 {
	i := int(math.Ceil(part*float64(len(sorted)))) - 1
	return sorted[max(0, i)]
}
