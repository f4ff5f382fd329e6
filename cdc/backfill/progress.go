package backfill

import (
	"time"

	"penstock/schema"
)

// States lists them all.
func States() []State { return []State{Running, Paused, Done, Failed, Cancelled} }

// Progress is how far a job has come, as a copy that nobody changes.
type Progress struct {
	Table     schema.TableName
	State     State
	Rows      int64 // delivered
	Estimate  int64 // rows, by the server's statistics; -1 without any
	Chunks    int64 // delivered
	ChunksAll int64 // that there are, as far as is known
	Share     float64
	Begun     time.Time

	took float64 // seconds, of a job that has ended
}

// Progress is how far the job has come, in chunks of so many blocks.
func (j *Job) Progress(blocks int64) Progress {
	return Progress{
		Table: j.Table, State: j.State, Rows: j.Rows, Estimate: j.Estimate, Chunks: j.Chunks, ChunksAll: j.Chunks + j.chunksLeft(blocks),
		Share: j.Share(), Begun: time.UnixMilli(j.Begun).UTC(), took: j.Seconds,
	}
}

// Seconds is how long the job has taken, until now if it has not ended.
func (p *Progress) Seconds(now time.Time) float64 {
	if p.State.Final() {
		return p.took
	}
	return now.Sub(p.Begun).Seconds()
}

// Left is how many seconds a job that runs will take yet at the rate that it had, if that is known.
func (p *Progress) Left(now time.Time) (seconds float64, known bool) {
	if p.State != Running || p.Share <= 0 {
		return 0, false
	}
	return p.Seconds(now) * (1 - p.Share) / p.Share, true
}
