package cdc

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/cdc/backfill"
	"penstock/cdc/slot"
	"penstock/schema"
)

// Do is what a [Command] asks for.
type Do string

// What can be asked for.
const (
	DoStart  Do = "start"
	DoPause  Do = "pause"
	DoResume Do = "resume"
	DoCancel Do = "cancel"
)

// Command is a word to the backfills of a capture. It lies in the position topic until
// the capture has met it: a record without a value, in the Kafka transaction of what the capture
// did about it, takes it away. So each is met once, also by a daemon that starts later. Who may
// write to that topic may do anything to the capture; who may write to the database may not.
type Command struct {
	backfill.Scope // of DoStart

	ID     string             `json:"-"` // the record's key has it; also of the jobs that it starts
	Do     Do                 `json:"do"`
	Tables []schema.TableName `json:"tables"`
	Sweep  bool               `json:"sweep,omitempty"` // of DoStart: first delete what Kafka holds and the table has not
}

// commandKey is the key of a command's record.
type commandKey struct {
	Capture string `json:"capture"`
	Command string `json:"command"`
}

// Send leaves the command to the capture of the configuration, of which it needs what
// [Jobs] needs. nil says that all of Kafka's replicas have it.
func Send(ctx context.Context, cfg Config, c Command) error {
	key, err := json.Marshal(commandKey{cfg.Name, c.ID})
	if err != nil {
		return fmt.Errorf("encode a command: %w", err)
	}
	value, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode a command: %w", err)
	}
	cl, err := cfg.kafka(kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return kafkaFault("kafka.position_topic "+cfg.PositionTopic, "open a producer", err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: cfg.PositionTopic, Key: key, Value: value}).FirstErr(); err != nil {
		return kafkaFault("kafka.position_topic "+cfg.PositionTopic, "take a command", err)
	}
	return nil
}

// parseCommand reads a record of the position topic, and reports whether it is a command
// to the capture; one without a value was met.
func parseCommand(capture string, r *kgo.Record) (c Command, ok bool) {
	var k commandKey
	if len(r.Key) == 0 || r.Key[0] != '{' || json.Unmarshal(r.Key, &k) != nil || k.Capture != capture || k.Command == "" {
		return c, false
	}
	c.ID = k.Command
	if r.Value != nil && json.Unmarshal(r.Value, &c) != nil {
		c.Do = "" // nothing that is known: it is met, and has no effect
	}
	return c, true
}

// hear hands over the commands that come to the position topic from an offset on, until ctx ends.
func (c *copies) hear(ctx context.Context) error {
	const rest, enough = time.Second, 1 << 20 // what else comes there is looked at once a second
	cl, err := c.cfg.kafka(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMinBytes(enough), kgo.FetchMaxWait(rest),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.cfg.PositionTopic: {0: kgo.NewOffset().At(c.from)}}),
	)
	if err != nil {
		return kafkaFault("kafka.position_topic "+c.cfg.PositionTopic, "open a reader", err)
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return kafkaFault("kafka.position_topic "+c.cfg.PositionTopic, "read", err)
		}
		for _, r := range fetches.Records() {
			word, ok := parseCommand(c.cfg.Name, r)
			if !ok || r.Value == nil {
				continue
			}
			select {
			case c.words <- word:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// heard hands over commands.
func (c *copies) heard() <-chan Command {
	if c == nil {
		return nil
	}
	return c.words
}

// command carries out a word to the backfills. One that nothing is left to be done for has
// no effect: who sent it sees what the jobs are.
func (c *copies) command(word *Command) {
	c.met = append(c.met, word.ID)
	for _, table := range word.Tables {
		desk := c.desks[table]
		running := desk != nil && !desk.Job.State.Final()
		switch {
		case word.Do == DoStart && !running:
			job := backfill.New(word.ID, table, word.Scope, time.Now())
			job.Sweep = word.Sweep
			c.begin(job)
			continue
		case !running:
			continue
		case word.Do == DoPause && desk.Job.State == backfill.Running:
			desk.Job.State = backfill.Paused
			c.window.Leave(table)
		case word.Do == DoResume && desk.Job.State == backfill.Paused:
			desk.Job.State = backfill.Running
			c.open(table, desk.Job) // what was read before counts no more
		case word.Do == DoCancel:
			c.end(table, backfill.Cancelled, "", "")
		default:
			continue
		}
		c.changed[table] = true
		c.log.Info("backfill", zap.Stringer(keyTable, table), zap.String("state", string(desk.Job.State)))
	}
}

// begin opens a job. One of a table that is not captured fails at once.
func (c *copies) begin(job *backfill.Job) {
	c.open(job.Table, job)
	c.changed[job.Table] = true
	if why := c.cfg.refuse(job); why != nil {
		c.fail(job.Table, why)
		return
	}
	c.log.Info("backfill begins", zap.Stringer(keyTable, job.Table), zap.String("id", job.ID))
}

// refuse says why a job cannot be begun, nil if it can, and adds what its records need.
func (c *Config) refuse(job *backfill.Job) *backfill.Refusal {
	t, captured := c.table(job.Table)
	if !captured {
		return &backfill.Refusal{What: "the table is not captured", Fix: "list it in source.tables, and start the daemon again"}
	}
	if job.Sweep && (job.Where != "" || job.Ranged()) {
		return &backfill.Refusal{
			What: "a part of it cannot be compared with what Kafka holds", Why: "rows outside of the range or condition are there, too",
			Fix: "start the backfill again without --deleted, or of the whole table",
		}
	}
	if len(job.Columns) == 0 {
		return nil
	}
	for _, p := range c.Pipelines {
		if p.Stream.Table == job.Table || p.Lookup.Table == job.Table {
			return &backfill.Refusal{
				What: "all of its columns have to be read", Why: "the input topic of pipeline " + p.Name + " takes whole rows",
				Fix: "start the backfill again without --columns",
			}
		}
	}
	job.Columns = append(slices.Clip(job.Columns), t.Rules.Key...)
	return nil
}

// table is what is captured of a table, if it is.
func (c *Config) table(name schema.TableName) (Table, bool) {
	if at := slices.IndexFunc(c.Tables, func(t Table) bool { return t.Name == name }); at >= 0 {
		return c.Tables[at], true
	}
	return c.matching(name)
}

// beginFirst hands over the jobs of a first start, for the Kafka transaction of the first position.
func (c *Capture) beginFirst(ctx context.Context, producer *Producer, found []slot.Publication) error {
	if !c.cfg.Backfill.Initial {
		return nil
	}
	return c.beginJobs(ctx, producer, found, func(table schema.TableName) *backfill.Job {
		if c.kept.jobs[table] != nil {
			return nil
		}
		return backfill.New("initial", table, backfill.Scope{}, time.Now())
	})
}

// sayNotInitial warns of tables that a backfill at the first start would have read: the capture has started before.
func (c *Capture) sayNotInitial(started bool, found []slot.Publication) {
	if !c.cfg.Backfill.Initial || !started {
		return
	}
	var never []string
	for _, table := range c.cfg.captured(found) {
		if t, _ := c.cfg.table(table); c.kept.jobs[table] == nil && !t.Matched {
			never = append(never, table.String())
		}
	}
	if len(never) > 0 {
		c.warnOnce("backfill.policy initial has no effect after the first start: of some tables what they had before was never read",
			zap.String("tables", strings.Join(never, ", ")), zap.String("fix", "penstock backfill start "+strings.Join(never, " ")))
	}
}

// beginJobs hands over a job for each table that is captured, but for those for which there is to be none.
func (c *Capture) beginJobs(
	ctx context.Context, producer *Producer, found []slot.Publication, begin func(schema.TableName) *backfill.Job,
) error {
	for _, table := range c.cfg.captured(found) {
		job := begin(table)
		if job == nil {
			continue
		}
		r, err := c.cfg.jobRecord(job)
		if err == nil {
			err = producer.Produce(ctx, []*kgo.Record{r})
		}
		if err != nil {
			return err
		}
		c.kept.jobs[table] = job
	}
	return nil
}

// captured are the tables of publications that are captured, sorted.
func (c *Config) captured(found []slot.Publication) (tables []schema.TableName) {
	for _, p := range found {
		for _, t := range p.Tables {
			if _, captured := c.table(t.TableName); captured {
				tables = append(tables, t.TableName)
			}
		}
	}
	slices.SortFunc(tables, schema.TableName.Compare)
	return slices.Compact(tables)
}
