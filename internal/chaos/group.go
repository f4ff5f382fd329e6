package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/stores"
)

const (
	groupEvery   = 300 * time.Millisecond // between two looks at the committed offsets
	stillTimeout = 3 * time.Minute        // for the sink to commit anything when there is something, or to join
)

// group is the sink's consumer group as the broker tells it. Methods may be called
// from several goroutines.
type group struct {
	client      *kgo.Client
	admin       *kadm.Client
	name, topic string
	wrong       func(kind ledger.Kind, format string, args ...any)
	behind      func(records int64) // hears now and then how much is not committed; nil: nobody does
	end         context.CancelFunc  // nil before watch
	done        chan struct{}

	mu        sync.Mutex
	committed map[int32]int64
	looks     int64
}

func openGroup(broker, name, topic string, wrong func(ledger.Kind, string, ...any)) (*group, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.MetadataMinAge(250*time.Millisecond))
	if err != nil {
		return nil, err
	}
	return &group{client: client, admin: kadm.NewClient(client), name: name, topic: topic, wrong: wrong, committed: map[int32]int64{}}, nil
}

func (g *group) close() {
	if g.end != nil {
		g.end()
		<-g.done
	}
	g.client.Close()
}

// watch looks at the committed offsets until close: none ever goes back.
func (g *group) watch(ctx context.Context) {
	ctx, g.end = context.WithCancel(context.WithoutCancel(ctx))
	g.done = make(chan struct{})
	go func() { // joined by close
		defer close(g.done)
		for pause(ctx, groupEvery) == nil {
			g.mu.Lock()
			err := g.look(ctx) // a broker that does not answer now will
			g.mu.Unlock()
			if ends, endsErr := g.ends(ctx); err == nil && endsErr == nil && g.behind != nil {
				g.behind(g.lag(ends))
			}
		}
	}()
}

// look reads the committed offsets; g.mu is held.
func (g *group) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sqlTimeout)
	defer cancel()
	answer, err := g.admin.FetchOffsets(ctx, g.name)
	if err != nil {
		return fmt.Errorf("fetch offsets of group %s: %w", g.name, err)
	}
	g.looks++
	answer.Each(func(o kadm.OffsetResponse) {
		if o.Topic != g.topic || o.Err != nil {
			return
		}
		if before, known := g.committed[o.Partition]; known && o.At < before {
			g.wrong(stores.Offsets, "partition %d: offset %d was committed, now %d", o.Partition, before, o.At)
		}
		g.committed[o.Partition] = o.At
	})
	return nil
}

// reset sets the offsets of all partitions to 0, which needs that no member is left,
// and returns the sum of those before.
func (g *group) reset(ctx context.Context) (before int64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.look(ctx); err != nil {
		return 0, err
	}
	var to kadm.Offsets
	for partition, offset := range g.committed {
		before += offset
		to.Add(kadm.Offset{Topic: g.topic, Partition: partition, At: 0, LeaderEpoch: -1})
	}
	answer, err := g.admin.CommitOffsets(ctx, g.name, to)
	if err = errors.Join(err, answer.Error()); err != nil {
		return before, fmt.Errorf("reset group %s: %w", g.name, err)
	}
	clear(g.committed)
	return before, nil
}

// members are the ids of the group's members, sorted.
func (g *group) members(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, sqlTimeout)
	defer cancel()
	described, err := g.admin.DescribeGroups(ctx, g.name)
	if err == nil {
		err = described[g.name].Err
	}
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", g.name, err)
	}
	var ids []string
	for _, m := range described[g.name].Members {
		ids = append(ids, m.MemberID)
	}
	slices.Sort(ids)
	return ids, nil
}

// await returns when the group has so many members.
func (g *group) await(ctx context.Context, n int) error {
	return found(Stuck, eventually(ctx, stillTimeout, fmt.Sprintf("group %s to have %d members", g.name, n), func(ctx context.Context) (string, error) {
		ids, err := g.members(ctx)
		if len(ids) != n {
			return fmt.Sprintf("it has %d", len(ids)), err
		}
		return "", err
	}))
}

// lag is how many records before the ends are not committed.
func (g *group) lag(ends map[int32]int64) (records int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for partition, end := range ends {
		records += max(0, end-g.committed[partition])
	}
	return records
}

// awaitOffsets returns when the group has committed at least these offsets. It waits
// for as long as any of them moves now and then.
func (g *group) awaitOffsets(ctx context.Context, ends map[int32]int64) error {
	last, moved := g.lag(ends), time.Now()
	for last > 0 {
		if err := pause(ctx, groupEvery); err != nil {
			return err
		}
		g.mu.Lock()
		err := g.look(ctx)
		g.mu.Unlock()
		now := g.lag(ends)
		if now < last {
			last, moved = now, time.Now()
		}
		if time.Since(moved) > stillTimeout {
			return found(Stuck, errors.Join(fmt.Errorf("the sink has committed nothing for %s, %d records are left", stillTimeout, now), err))
		}
	}
	return nil
}

// ends are the high watermarks of the input topic without a last marker.
func (g *group) ends(ctx context.Context) (map[int32]int64, error) {
	listed, err := g.admin.ListEndOffsets(ctx, g.topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset - 1 })
	return ends, nil
}
