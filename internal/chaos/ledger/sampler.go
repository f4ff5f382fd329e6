package ledger

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"penstock/schema"
)

// sampleTimeout bounds one question to a server.
const sampleTimeout = 2 * time.Second

// sample is one look at I1: what the slot was confirmed at, and then how much of
// the position topic was committed. Kafka confirms a commit before its markers
// are written, so a record behind the last stable offset counts as committed
// unless its producer's transaction is ongoing.
type sample struct {
	confirmed    schema.LSN
	stable, high int64          // offsets
	ongoing      map[int64]bool // producers
}

// holds reports whether the position was committed when the sample was taken.
// That it is committed at all is known.
func (s *sample) holds(p *position) bool {
	return p.offset < s.stable || p.offset < s.high && !s.ongoing[p.producer]
}

// sampler takes samples. They are judged in the end, when the positions are known
// by offset: whatever was confirmed must be covered by a position below stable.
type sampler struct {
	ledger *Ledger

	mu      sync.Mutex
	samples []sample
}

// run samples every lookEvery until ctx ends. What cannot be asked at the moment is no sample.
func (s *sampler) run(ctx context.Context) error {
	cl, err := client(s.ledger.target.Brokers)
	if err != nil {
		return fmt.Errorf("open the sampler: %w", err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	var db *pgx.Conn
	defer func() { closeSQL(ctx, db) }()
	for pause(ctx) == nil {
		if db == nil || db.IsClosed() {
			if db, err = s.ledger.connect(ctx); err != nil {
				continue
			}
		}
		if one, err := s.sample(ctx, db, admin); err == nil {
			s.mu.Lock()
			s.samples = append(s.samples, one)
			s.mu.Unlock()
		}
	}
	return nil
}

func (s *sampler) sample(ctx context.Context, db *pgx.Conn, admin *kadm.Client) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	confirmed, err := confirmedOf(ctx, db, s.ledger.target.Slot)
	if err != nil {
		return sample{}, err
	}
	one := sample{confirmed: confirmed}
	if one.stable, err = s.offset(ctx, admin.ListCommittedOffsets); err != nil {
		return sample{}, err
	}
	if one.high, err = s.offset(ctx, admin.ListEndOffsets); err != nil || one.high == one.stable {
		return one, err
	}
	open, err := admin.ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil {
		return sample{}, fmt.Errorf("list transactions: %w", err)
	}
	one.ongoing = map[int64]bool{}
	for _, txn := range open {
		one.ongoing[txn.ProducerID] = true
	}
	// A producer whose next transaction is ongoing has completed the one before.
	one.stable, err = s.offset(ctx, admin.ListCommittedOffsets)
	return one, err
}

// offset asks for one of the ends of the position topic; a topic that is not
// there yet holds nothing.
func (s *sampler) offset(ctx context.Context, ask func(context.Context, ...string) (kadm.ListedOffsets, error)) (int64, error) {
	topic := s.ledger.target.PositionTopic
	listed, err := ask(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("list offsets: %w", err)
	}
	offset, found := listed.Lookup(topic, 0)
	if !found || errors.Is(offset.Err, kerr.UnknownTopicOrPartition) {
		return 0, nil
	}
	return offset.Offset, offset.Err
}

func (s *sampler) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.samples)
}

// judge holds the samples against the positions, which are in the order of their
// offsets. Before the first position the slot must stay where it was created.
func (s *sampler) judge(v *Verdict, positions []position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.Samples = int64(len(s.samples))
	next := 0
	var covered schema.LSN
	for _, one := range s.samples {
		if covered.IsZero() && next == 0 {
			covered = one.confirmed
		}
		for next < len(positions) && one.holds(&positions[next]) {
			covered = positions[next].EndLSN
			next++
		}
		if one.confirmed > covered {
			v.report(Early, "the slot was confirmed at %s, the position was %s (offset %d of topic %s)",
				one.confirmed, covered, one.high, s.ledger.target.PositionTopic)
		}
	}
}

func confirmedOf(ctx context.Context, db *pgx.Conn, slot string) (schema.LSN, error) {
	var text string
	const query = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1"
	if err := db.QueryRow(ctx, query, slot).Scan(&text); err != nil {
		return 0, fmt.Errorf("describe slot %s: %w", slot, err)
	}
	return schema.ParseLSN(text)
}

func closeSQL(ctx context.Context, db *pgx.Conn) {
	if db == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sampleTimeout)
	defer cancel()
	_ = db.Close(ctx) // whatever it says, the connection is gone
}

// passing reports whether an error is one of a server that comes back.
func passing(err error) bool {
	_, network := errors.AsType[net.Error](err)
	_, postgres := errors.AsType[*pgconn.ConnectError](err)
	return network || postgres || kerr.IsRetriable(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, net.ErrClosed)
}
