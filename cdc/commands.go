package cdc

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/cdc/backfill"
	"penstock/cdc/slot"
	"penstock/schema"
)

// commandPrefix is that of the logical messages by which a capture is told what to
// do: whichever daemon holds the slot meets each once, at its place in the log, and what it
// does about it is in the Kafka transaction of that place.
const commandPrefix = "penstock.backfill"

// Do is what a [Command] asks for.
type Do string

// What can be asked for.
const (
	DoStart  Do = "start"
	DoPause  Do = "pause"
	DoResume Do = "resume"
	DoCancel Do = "cancel"
)

// Command is a word to the backfills of a capture.
type Command struct {
	Capture string             `json:"capture"`
	ID      string             `json:"id"` // of the jobs that it starts
	Do      Do                 `json:"do"`
	Tables  []schema.TableName `json:"tables"`
	Where   string             `json:"where,omitempty"` // of DoStart
}

// Send writes the command to the log, for whichever daemon captures, now or later.
func Send(ctx context.Context, db *pgx.Conn, c Command) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode a command: %w", err)
	}
	if _, err := db.Exec(ctx, "SELECT pg_logical_emit_message(true, $1, $2)", commandPrefix, string(text)); err != nil {
		return postgresFault("take a command", err)
	}
	return nil
}

// command carries out a word to the backfills. One that is for another capture, or that
// nothing is left to be done for, is passed over: who sent it sees what the jobs are.
func (c *copies) command(e *schema.Event) {
	var word Command
	if err := json.Unmarshal(e.Message.Content, &word); err != nil || word.Capture != c.cfg.Name {
		c.log.Warn("a command is for nobody here", zap.Stringer(keyLSN, e.Source.CommitLSN), zap.Error(err))
		return
	}
	for _, table := range word.Tables {
		desk := c.desks[table]
		running := desk != nil && !desk.Job.State.Final()
		switch {
		case word.Do == DoStart && !running:
			c.begin(backfill.New(word.ID, table, word.Where, time.Now()))
			continue
		case !running || word.Do == DoStart:
			continue
		case word.Do == DoPause && desk.Job.State == backfill.Running:
			desk.Job.State = backfill.Paused
			c.window.Leave(table)
		case word.Do == DoResume && desk.Job.State == backfill.Paused:
			desk.Job.State = backfill.Running
			c.open(table, desk.Job) // what was read before counts no more
		case word.Do == DoCancel:
			c.end(table, backfill.Cancelled, "", "")
		}
		c.changed[table] = true
		c.log.Info("backfill", zap.Stringer(keyTable, table), zap.String("state", string(desk.Job.State)))
	}
}

// begin opens a job. One of a table that is not captured fails at once.
func (c *copies) begin(job *backfill.Job) {
	c.open(job.Table, job)
	c.changed[job.Table] = true
	if !c.cfg.captures(job.Table) {
		c.fail(job.Table, &backfill.Refusal{What: "the table is not captured", Fix: "list it in source.tables, and start the daemon again"})
		return
	}
	c.log.Info("backfill begins", zap.Stringer(keyTable, job.Table), zap.String("id", job.ID))
}

// captures reports whether the table is one of the capture's.
func (c *Config) captures(table schema.TableName) bool {
	if slices.ContainsFunc(c.Tables, func(t Table) bool { return t.Name == table }) {
		return true
	}
	_, matched := c.matching(table)
	return matched
}

// beginFirst hands over the jobs of a first start, for the Kafka transaction of the first position.
func (c *Capture) beginFirst(ctx context.Context, producer *Producer, found []slot.Publication) error {
	if !c.cfg.Backfill.Initial {
		return nil
	}
	now := time.Now()
	for _, p := range found {
		for _, t := range p.Tables {
			if !c.cfg.captures(t.TableName) || c.jobs[t.TableName] != nil {
				continue
			}
			job := backfill.New("initial", t.TableName, "", now)
			r, err := c.cfg.jobRecord(job)
			if err == nil {
				err = producer.Produce(ctx, []*kgo.Record{r})
			}
			if err != nil {
				return err
			}
			c.jobs[t.TableName] = job
		}
	}
	return nil
}
