package verify

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/cassandra"
	"penstock/sink/plan"
	"penstock/sink/redis"
)

// Config says what is compared. The zero value of an optional field stands for its
// default.
type Config struct {
	Pipeline string // its name
	Plan     *plan.Plan

	DSN     string // of the source database
	Capture string // the name under which the capture keeps its position

	Brokers       []string
	Client        []kgo.Opt // optional: TLS and SASL
	PositionTopic string
	Topic         string          // the pipeline's input topic
	Group         string          // its consumer group
	Letters       *sink.Letterbox // optional: where dead letters are

	Cassandra *cassandra.Store
	Redis     *redis.Store

	// Wait is how long the capture or the sink may take to come any nearer to what is
	// waited for. Optional: one minute.
	Wait time.Duration
	// Rounds is how often what differs is looked at again before it is told as
	// changing. Optional: 8.
	Rounds int
	// Rows is how many rows are held in memory at once. Optional: 300,000.
	Rows int64

	// Repair has the rows that differ sent again, and what should not be there deleted.
	Repair bool

	// OnDifference, when set, is called with each difference as it is found, and again
	// once it is repaired or could not be.
	OnDifference func(Difference)
	// Progress, when set, is kept up to date.
	Progress *Progress
}

const (
	defaultWait   = time.Minute
	defaultRounds = 8
	defaultRows   = 300_000
)

func (c Config) withDefaults() (Config, error) {
	var missing []error
	for _, required := range []struct {
		name string
		set  bool
	}{
		{"Pipeline", c.Pipeline != ""}, {"Plan", c.Plan != nil}, {"DSN", c.DSN != ""}, {"Capture", c.Capture != ""}, {"Brokers", len(c.Brokers) > 0},
		{"PositionTopic", c.PositionTopic != ""}, {"Topic", c.Topic != ""}, {"Group", c.Group != ""},
		{"Cassandra", c.Cassandra != nil}, {"Redis", c.Redis != nil},
	} {
		if !required.set {
			missing = append(missing, fmt.Errorf("%s is missing", required.name))
		}
	}
	if len(missing) > 0 {
		return c, &fault.Error{Kind: fault.Usage, Where: "verify", What: "configuration is not usable", Err: errors.Join(missing...)}
	}
	if c.Wait == 0 {
		c.Wait = defaultWait
	}
	if c.Rounds == 0 {
		c.Rounds = defaultRounds
	}
	if c.Rows == 0 {
		c.Rows = defaultRows
	}
	if c.OnDifference == nil {
		c.OnDifference = func(Difference) {}
	}
	if c.Progress == nil {
		c.Progress = &Progress{}
	}
	return c, nil
}

// Progress is how far a run has come. It may be read while it is written.
type Progress struct {
	stage atomic.Pointer[string]
	done  atomic.Int64
	total atomic.Int64
}

// Now returns what is being done, and of how many rows how many are done; total is an
// estimate, 0 for none.
func (p *Progress) Now() (stage string, done, total int64) {
	if s := p.stage.Load(); s != nil {
		stage = *s
	}
	return stage, p.done.Load(), p.total.Load()
}

func (p *Progress) begin(stage string, total int64) {
	p.stage.Store(&stage)
	p.done.Store(0)
	p.total.Store(total)
}
