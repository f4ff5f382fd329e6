package backfill

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"penstock/schema"
)

// State is what becomes of a job.
type State string

// The states. Those but Running and Paused are final.
const (
	Running   State = "running"
	Paused    State = "paused"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final reports whether nothing more will be done.
func (s State) Final() bool { return s == Done || s == Failed || s == Cancelled }

// Job is the backfill of one table, as far as it is in Kafka.
type Job struct {
	Scope

	Table schema.TableName `json:"-"` // the record's key has it
	ID    string           `json:"id"`
	State State            `json:"state"`

	// Sweep has the rows deleted first that Kafka holds and the table has not.
	Sweep   bool  `json:"sweep,omitempty"`
	Swept   bool  `json:"swept,omitempty"`   // that is done
	Deleted int64 `json:"deleted,omitempty"` // rows, by that

	Planned  bool    `json:"planned,omitempty"` // Parts are known
	Parts    []Part  `json:"parts,omitempty"`
	Again    []Key   `json:"again,omitempty"`    // of rows to be read once more, by their keys
	Rows     int64   `json:"rows"`               // delivered
	Chunks   int64   `json:"chunks,omitempty"`   // likewise
	Dropped  int64   `json:"dropped,omitempty"`  // that the stream had overtaken
	Estimate int64   `json:"estimate,omitempty"` // rows, by the server's statistics; -1 without any
	Why      string  `json:"why,omitempty"`      // it failed
	Fix      string  `json:"fix,omitempty"`
	Begun    int64   `json:"begun"`           // milliseconds since the Unix epoch
	Ended    int64   `json:"ended,omitempty"` // likewise; 0 while it is not
	Seconds  float64 `json:"seconds,omitempty"`
}

// Key is one of [AppendKey].
type Key []byte

// Part is a table that holds rows itself: the job's, or a partition of it.
type Part struct {
	OID      uint32           `json:"oid"`
	Name     schema.TableName `json:"name"`
	Filenode uint32           `json:"filenode"`        // another once the table is rewritten, and all rows have moved
	First    uint32           `json:"first,omitempty"` // block that may have rows of the job's range
	Blocks   uint32           `json:"blocks"`          // up to which it may, when the job began; later rows come by the stream
	Done     []Span           `json:"done,omitempty"`
}

// Span is a range of blocks, the last excluded.
type Span struct{ From, To uint32 }

// MarshalJSON writes a span short: there may be many.
func (s Span) MarshalJSON() ([]byte, error) { return json.Marshal([2]uint32{s.From, s.To}) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Span) UnmarshalJSON(data []byte) error {
	var pair [2]uint32
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	s.From, s.To = pair[0], pair[1]
	return nil
}

// New is a job that was asked for now.
func New(id string, table schema.TableName, scope Scope, now time.Time) *Job {
	return &Job{ID: id, Table: table, Scope: scope, State: Running, Estimate: -1, Begun: now.UnixMilli()}
}

// End gives the job a final state.
func (j *Job) End(state State, why, fix string, now time.Time) {
	j.State, j.Why, j.Fix, j.Ended, j.Again = state, why, fix, now.UnixMilli(), nil
	j.Seconds = float64(j.Ended-j.Begun) / 1000
	if state == Done {
		j.Parts = nil // of which nobody asks any more
	}
}

// finish notes that a span is in Kafka.
func (p *Part) finish(done Span) {
	spans := slices.Concat(p.Done, []Span{done})
	slices.SortFunc(spans, func(a, b Span) int { return int(int64(a.From) - int64(b.From)) })
	merged := spans[:1]
	for _, s := range spans[1:] {
		if last := &merged[len(merged)-1]; s.From <= last.To {
			last.To = max(last.To, s.To)
		} else {
			merged = append(merged, s)
		}
	}
	p.Done = merged
}

// next returns the first span of at most size blocks that is in neither Done nor taken.
func (p *Part) next(size uint32, taken []Span) (Span, bool) {
	at := p.First
	for moved := true; moved; {
		moved = false
		for _, s := range slices.Concat(p.Done, taken) {
			if s.From <= at && at < s.To {
				at, moved = s.To, true
			}
		}
	}
	if at >= p.Blocks {
		return Span{}, false
	}
	to := min(at+size, p.Blocks)
	for _, s := range slices.Concat(p.Done, taken) {
		if s.From > at {
			to = min(to, s.From)
		}
	}
	return Span{at, to}, true
}

// blocks counts those of the parts, and those of them that are in Kafka.
func (j *Job) blocks() (done, all int64) {
	for i := range j.Parts {
		all += int64(j.Parts[i].Blocks - j.Parts[i].First)
		for _, s := range j.Parts[i].Done {
			done += int64(s.To - s.From)
		}
	}
	return done, all
}

// mostInBlock is how many rows a block of 8 KiB can hold (MaxHeapTuplesPerPage of Postgres).
const mostInBlock = 291

// Pace is how many blocks may be read at once, most of them at most: at a rate, no more than hold the rows
// of one second, by what was read already, else by the server's statistics. A rate of 0 is none.
func (j *Job) Pace(most uint32, rate int) uint32 {
	if rate <= 0 {
		return most
	}
	rows := float64(mostInBlock) // of a block
	switch done, all := j.blocks(); {
	case done > 0:
		rows = float64(j.Rows+j.Dropped) / float64(done)
	case all > 0 && j.Estimate > 0:
		rows = float64(j.Estimate) / float64(all)
	}
	return uint32(min(max(float64(rate)/max(rows, 1), 1), float64(most)))
}

// chunksLeft is how many chunks of a size, in blocks, are still to be read.
func (j *Job) chunksLeft(size int64) int64 {
	done, all := j.blocks()
	return (all - done + size - 1) / size
}

// Share is how much of the table is in Kafka, from 0 to 1.
func (j *Job) Share() float64 {
	done, all := j.blocks()
	switch {
	case j.State == Done:
		return 1
	case all == 0:
		return 0
	}
	return float64(done) / float64(all)
}

// complete reports whether nothing is left to be read.
func (j *Job) complete() bool {
	done, all := j.blocks()
	return j.Planned && !j.sweeps() && done == all && len(j.Again) == 0
}

// sweeps reports whether rows may be left to be deleted.
func (j *Job) sweeps() bool { return j.Sweep && !j.Swept }

// jobKey is the key of a job's record in the position topic, told from others there
// by its second member.
type jobKey struct {
	Capture  string   `json:"capture"`
	Backfill jobTable `json:"backfill"`
}

type jobTable struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
}

// AppendRecord returns the key and value of the record that keeps the job: the last
// one of each table.
func (j *Job) AppendRecord(capture string) (key, value []byte, err error) {
	if key, err = json.Marshal(jobKey{capture, jobTable{j.Table.Schema, j.Table.Name}}); err != nil {
		return nil, nil, fmt.Errorf("key of a backfill: %w", err)
	}
	if value, err = json.Marshal(j); err != nil {
		return nil, nil, fmt.Errorf("record of a backfill: %w", err)
	}
	return key, value, nil
}

// ParseKey reports of which table of the capture a record keeps the job, if it does.
func ParseKey(key []byte, capture string) (schema.TableName, bool) {
	var k jobKey
	if len(key) == 0 || key[0] != '{' || json.Unmarshal(key, &k) != nil || k.Capture != capture || k.Backfill.Name == "" {
		return schema.TableName{}, false
	}
	return schema.TableName{Schema: k.Backfill.Schema, Name: k.Backfill.Name}, true
}

// Parse reads the value of a job's record. What a newer program has added is left alone.
func Parse(table schema.TableName, value []byte) (*Job, error) {
	j := &Job{Table: table}
	if err := json.Unmarshal(value, j); err != nil {
		return nil, fmt.Errorf("record of the backfill of %s: %w", table, err)
	}
	return j, nil
}
