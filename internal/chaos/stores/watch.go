package stores

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"penstock/internal/chaos/ledger"
)

const (
	watchEvery = 300 * time.Millisecond
	watched    = 100 // keys a look
)

// Watch looks at versions while the sink works: of each key they never go back, and
// what is in Cassandra was written at them. A store that is away is not looked at.
type Watch struct {
	stores *Stores
	prefix string
	wrong  func(kind ledger.Kind, format string, args ...any)
	end    context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	hashes  map[string]int64 // versions seen in Redis, by id
	rows    map[string]int64 // and in Cassandra
	cursor  uint64
	samples int64
	told    map[ledger.Kind]int // how many problems of each kind were described
}

// Watch begins to look at the events; wrong hears what must not be. Close ends it.
func (s *Stores) Watch(ctx context.Context, wrong func(kind ledger.Kind, format string, args ...any)) *Watch {
	w := &Watch{
		stores: s, prefix: s.target.Prefixes[Engagement().Name], wrong: wrong, hashes: map[string]int64{}, rows: map[string]int64{},
		told: map[ledger.Kind]int{}, done: make(chan struct{}),
	}
	ctx, w.end = context.WithCancel(context.WithoutCancel(ctx))
	go func() { // joined by Close
		defer close(w.done)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.look(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return w
}

// Close ends looking and returns how many versions were looked at.
func (w *Watch) Close() int64 {
	w.end()
	<-w.done
	return w.samples
}

// Lose lets Redis lose what it has: what it holds after it is looked at anew.
func (w *Watch) Lose(lose func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.hashes)
	w.cursor = 0
	return lose()
}

func (w *Watch) look(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s := w.stores
	page, err := s.redis.Do(ctx, s.redis.B().Scan().Cursor(w.cursor).Match(w.prefix+"*").Count(watched).Build()).AsScanEntry()
	if err != nil {
		return // it is away
	}
	w.cursor = page.Cursor
	gets := make(rueidis.Commands, 0, len(page.Elements))
	ids := make([]string, 0, len(page.Elements))
	for _, key := range page.Elements {
		gets = append(gets, s.redis.B().Hget().Key(key).Field("_v").Build())
		ids = append(ids, strings.TrimPrefix(key, w.prefix))
	}
	for i, answer := range s.redis.DoMulti(ctx, gets...) {
		if text, err := answer.ToString(); err == nil {
			version, _ := strconv.ParseInt(text, 10, 64) // what it is otherwise, Check says
			w.see("redis", w.hashes, ids[i], version)
		}
	}
	w.lookAtRows(ctx, ids)
}

func (w *Watch) lookAtRows(ctx context.Context, ids []string) {
	if len(ids) == 0 {
		return
	}
	t := byEvent()
	rows := w.stores.session.Query("SELECT event_id, version, writetime(event_ts_us) FROM " + w.stores.target.Keyspace + "." + t.name +
		" WHERE event_id IN (" + strings.Join(ids, ", ") + ")").IterContext(ctx)
	var id, version, written int64
	for rows.Scan(&id, &version, &written) {
		if written != version {
			w.tell(WriteTime, "cassandra: %d has version %d, it was written at %d", id, version, written)
		}
		w.see("cassandra", w.rows, strconv.FormatInt(id, 10), version)
	}
	_ = rows.Close() // it is away
}

func (w *Watch) see(where string, versions map[string]int64, id string, version int64) {
	w.samples++
	if before := versions[id]; version < before {
		w.tell(Stale, "%s: %s had version %d, now %d", where, id, before, version)
	}
	versions[id] = version
}

// tell describes the first few problems of each kind.
func (w *Watch) tell(kind ledger.Kind, format string, args ...any) {
	if w.told[kind]++; w.told[kind] <= shown {
		w.wrong(kind, format, args...)
	}
}
