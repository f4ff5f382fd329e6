package simulation_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"penstock/cdc"
	"penstock/schema"
)

const (
	captureName      = "sim"
	positionTopic    = "penstock.position"
	transactionTopic = "penstock.transaction"
	heartbeatTopic   = "__debezium-heartbeat.sim"
	pipelineTopic    = "pipeline.joined"
	partitions       = 2
	splitRecords     = 7 // of one commit

	metadataAge = 50 * time.Millisecond
	fetchWait   = 100 * time.Millisecond
)

func noDelay() time.Duration { return 0 }

func topicOf(table string) string { return "sim.public." + table }

func allTables() []string { return []string{tableEvent, tableContent, tableNote} }

// world is everything outside of the captures, and what was seen of them.
type world struct {
	seed     uint64
	ctx      context.Context //nolint:containedctx // of the run: taps and failpoints are called without one
	wal      *wal
	author   *author
	postgres *postgres
	kafka    *kafka
	rand     *rand.Rand // of the director alone
	tamper   func(status []byte) []byte
	config   func(*cdc.Config)
	log      *zap.Logger // of the captures, by their numbers
	said     *tail

	afterwards func(*world) error // once everything is delivered

	mu         sync.Mutex
	problems   []string
	strikes    map[string]int // what happened, and how often
	failpoints map[cdc.Failpoint]int
	covered    schema.LSN // a position at or above it was seen in Kafka
	hosts      int
	captures   sync.WaitGroup
}

func newWorld(ctx context.Context, seed uint64) (*world, error) {
	w := &world{
		seed: seed, ctx: ctx, wal: newWAL(), rand: rand.New(rand.NewPCG(seed, 0)),
		strikes: map[string]int{}, failpoints: map[cdc.Failpoint]int{}, said: &tail{},
	}
	w.log = zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.Lock(zapcore.AddSync(w.said)), zap.InfoLevel))
	w.author = newAuthor(seed, w.wal, splitRecords)
	w.postgres = newPostgres(seed, w.wal, w.problem)
	var err error
	w.kafka, err = newKafka(ctx)
	return w, err
}

// close ends the servers. Every capture must have been told to end.
func (w *world) close() {
	w.captures.Wait()
	w.kafka.close()
	w.postgres.crash(0)
	await(w.ctx.Done(), time.Minute) // for what the drivers close behind the scenes
}

// problem writes down what must not be.
func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

func (w *world) witness(t *trap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	where := string(t.moment)
	switch t.moment {
	case atFailpoint:
		where = string(t.point)
	case atRequest, atReply:
		where = kmsg.Key(t.key).Name() + " " + where
	}
	w.strikes[string(t.blow)+" at "+where]++
	w.log.Info(string(t.blow) + " at " + where)
}

func (w *world) reached(p cdc.Failpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failpoints[p]++
}

// watchStatus sees what a capture writes to Postgres. Whenever a standby status
// confirms something, a position that covers it must already be committed.
func (w *world) watchStatus(b []byte) []byte {
	const header, length = 5, 1 + 8 + 8 + 8 + 8 + 1
	if len(b) != header+length || b[0] != 'd' || b[header] != 'r' {
		return b
	}
	if w.tamper != nil {
		b = w.tamper(b)
	}
	flush := schema.LSN(binary.BigEndian.Uint64(b[header+9:]))
	w.mu.Lock()
	covered := flush <= w.covered
	w.mu.Unlock()
	if covered {
		return b
	}
	position, err := w.kafka.committed(w.ctx)
	if err != nil {
		w.problem("read the position: %v", err)
	}
	if flush > position.EndLSN {
		w.problem("I1: confirmed %s, but the position in Kafka is %s", flush, position.EndLSN)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.covered = max(w.covered, position.EndLSN)
	return b
}

// tail keeps the last lines that were written to it. The logger locks it.
type tail struct{ lines []string }

// Write takes one line.
func (t *tail) Write(line []byte) (int, error) {
	const most = 40
	t.lines = append(t.lines, string(line))
	t.lines = t.lines[max(0, len(t.lines)-most):]
	return len(line), nil
}

// life is one capture, from its start to its end.
type life struct {
	host  *host
	stop  context.CancelFunc
	ended chan struct{} // closed when Run has returned
	err   error         // of Run, once it has

	troubled bool // it has something to recover from, or had
}

// kill ends the process.
func (l *life) kill() {
	l.host.cut()
	l.stop()
}

// start begins a life on a host of its own.
func (w *world) start() (*life, error) {
	w.hosts++
	h := &host{world: w, gone: make(chan struct{}), rand: rand.New(rand.NewPCG(w.seed, uint64(100+w.hosts)))}
	cfg := w.captureConfig(h)
	if w.rand.IntN(3) == 0 {
		cfg.Heartbeat = time.Second
	}
	if w.config != nil {
		w.config(&cfg)
	}
	capture, err := cdc.New(cfg, w.log.Named(strconv.Itoa(w.hosts)))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(w.ctx)
	l := &life{host: h, stop: cancel, ended: make(chan struct{})}
	w.captures.Go(func() {
		defer close(l.ended)
		l.err = capture.Run(ctx)
	})
	return l, nil
}

// beating is true of a third of the worlds: heartbeats leave no time for the positions
// of an idle stream. They write the last position again.
func (w *world) beating() bool { return w.seed%3 == 2 }

func (w *world) captureConfig(h *host) cdc.Config {
	name := func(table string) schema.TableName { return schema.TableName{Schema: "public", Name: table} }
	cfg := cdc.Config{
		Name: captureName, Version: "test", Slot: slotName, Publications: []string{publicationName},
		DSN:     "host=127.0.0.1 port=5432 user=sim password=sim dbname=" + databaseName + " sslmode=disable default_query_exec_mode=simple_protocol",
		Brokers: []string{kafkaAddr}, TransactionalID: "sim", PositionTopic: positionTopic, TransactionTopic: transactionTopic,
		Partitions: partitions, ReplicationFactor: 1, Wait: 2 * time.Minute, TransactionTimeout: time.Minute,
		Limits: cdc.Limits{
			Records: 5, Bytes: 1 << 20, Age: 50 * time.Millisecond, Idle: time.Second,
			SplitRecords: splitRecords, SplitBytes: 1 << 20, SplitAge: time.Hour,
		},
		Dial: h.dialPostgres, DialKafka: h.dialKafka, Client: []kgo.Opt{kgo.DisableClientMetrics()}, Failpoint: h.reach,
		Pipelines: []cdc.Pipeline{{
			Name: "joined", Topic: pipelineTopic,
			Stream: cdc.JoinSide{Table: name(tableEvent), Column: "content_id"},
			Lookup: cdc.JoinSide{Table: name(tableContent), Column: "id"},
		}},
	}
	if w.beating() {
		cfg.Beats = cdc.Beats{Topic: heartbeatTopic, Every: 300 * time.Millisecond}
	}
	for _, table := range allTables() {
		cfg.Tables = append(cfg.Tables, cdc.Table{Name: name(table), Topic: topicOf(table)})
	}
	return cfg
}

// await waits for a channel, for at most d of the world's time.
func await(c <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}
