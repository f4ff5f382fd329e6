package sink

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/sink/plan"
)

// Config says what a [Sink] reads and how. The zero value of an optional field
// stands for its default.
type Config struct {
	Pipeline string        // the pipeline's name, for logs and faults
	Brokers  []string      // host:port
	Client   []kgo.Opt     // optional: TLS and SASL of the Kafka client
	Topic    string        // the pipeline's input topic
	Group    string        // the consumer group
	Plan     *plan.Plan    // optional: the preset engagement, of public.engagement_events and public.content
	Wait     time.Duration // optional, 1 minute: how long to wait for a server without progress

	// OnError says what becomes of a record that cannot be processed; the zero value
	// is [Stop]. DeadLetterTopic is where [DeadLetter] writes it. It is read under
	// both, for keys that wait.
	OnError           Policy
	DeadLetterTopic   string // optional with Stop
	ReplicationFactor int16  // of the topic of dead letters, when it is created; 0 or -1 is the broker's default

	// KeepDecided is how long a dead letter stays at least after it was decided: optional, 7 days.
	KeepDecided time.Duration

	// BreakAfter is how long a store does not answer before the partitions go on without
	// it: optional, 1 second, but less where Wait is short.
	BreakAfter time.Duration

	// RejoinAtOnce is how many stored rows of a lookup row that changed are joined again within its
	// batch: optional, 2000. The others are joined between batches, RejoinRate in a second in all
	// partitions of this sink: optional, 20000.
	RejoinAtOnce int
	RejoinRate   int

	Batch    int // optional, 2000: records of one poll
	Parallel int // optional, 8: partitions worked on at once
	// CacheBytes and TotalsBytes are about what lookup rows and the rows that totals are made
	// of take in memory at most, in all partitions of this sink: optional, 16 and 48 MiB.
	CacheBytes  int64
	TotalsBytes int64

	// OnCommit, when set, is called after each commit of offsets, once for each
	// partition of it, from the goroutine of [Sink.Run]. It must not block.
	OnCommit func(Progress)

	// Failpoint, when set, is called at each failpoint; it may end the process.
	Failpoint func(Failpoint)
}

// Policy says what becomes of a record that cannot be processed.
type Policy uint8

// The policies.
const (
	Stop       Policy = iota // it ends the sink, with its coordinates
	DeadLetter               // it becomes a dead letter, and what follows of its key waits
)

// Failpoint names a place in the sink where a crash is worth a test.
type Failpoint string

// The failpoints.
const (
	FailStored   Failpoint = "stored"   // rows are in every store, the offsets of their records not committed
	FailLettered Failpoint = "lettered" // dead letters are durable, the offsets behind their records not committed
	FailRejoined Failpoint = "rejoined" // a page of stored rows is joined again in every store, and nothing of it committed
	FailReleased Failpoint = "released" // what waited is in the stores and its decisions are durable, the offset of the release is not committed
)

// reach calls whoever waits for a failpoint.
func (c Config) reach(p Failpoint) {
	if c.Failpoint != nil {
		c.Failpoint(p)
	}
}

// letterbox is nil when there is no topic of dead letters.
func (c Config) letterbox() *Letterbox {
	if c.DeadLetterTopic == "" {
		return nil
	}
	return NewLetterbox(LetterboxConfig{Brokers: c.Brokers, Client: c.Client, Topic: c.DeadLetterTopic})
}

// withDefaults fills the optional fields.
func (c Config) withDefaults() Config {
	if c.Plan == nil {
		c.Plan = plan.Engagement(schema.TableName{Schema: "public", Name: "engagement_events"}, schema.TableName{Schema: "public", Name: "content"}, "")
	}
	if c.ReplicationFactor == 0 {
		c.ReplicationFactor = -1
	}
	c.Wait = orDefault(c.Wait, time.Minute)
	c.KeepDecided = orDefault(c.KeepDecided, keepDecided)
	c.BreakAfter = orDefault(c.BreakAfter, min(time.Second, c.Wait/4))
	c.RejoinAtOnce = orDefault(c.RejoinAtOnce, 2000)
	c.RejoinRate = orDefault(c.RejoinRate, 20_000)
	c.Batch = orDefault(c.Batch, 2000)
	c.Parallel = orDefault(c.Parallel, 8)
	c.CacheBytes = orDefault(c.CacheBytes, 16<<20)
	c.TotalsBytes = orDefault(c.TotalsBytes, 48<<20)
	return c
}

func orDefault[T int | int64 | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}

// validate reports everything that is wrong with the configuration at once.
func (c Config) validate() error {
	var problems []error
	for _, required := range []struct{ name, value string }{
		{"Pipeline", c.Pipeline}, {"Brokers", strings.Join(c.Brokers, "")}, {"Topic", c.Topic}, {"Group", c.Group},
	} {
		if required.value == "" {
			problems = append(problems, fmt.Errorf("%s is empty", required.name))
		}
	}
	if c.OnError == DeadLetter && c.DeadLetterTopic == "" {
		problems = append(problems, errors.New("DeadLetterTopic is empty"))
	}
	for _, limit := range []struct {
		name  string
		value int64
	}{
		{"Wait", int64(c.Wait)}, {"KeepDecided", int64(c.KeepDecided)}, {"BreakAfter", int64(c.BreakAfter)},
		{"Batch", int64(c.Batch)}, {"Parallel", int64(c.Parallel)}, {"CacheBytes", c.CacheBytes},
		{"TotalsBytes", c.TotalsBytes}, {"RejoinAtOnce", int64(c.RejoinAtOnce)}, {"RejoinRate", int64(c.RejoinRate)},
	} {
		if limit.value < 0 {
			problems = append(problems, fmt.Errorf("%s must not be negative", limit.name))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Usage, Where: "sink configuration", What: "is not usable", Err: errors.Join(problems...)}
}
