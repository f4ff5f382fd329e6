package cdc

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"penstock/cdc/backfill"
	"penstock/schema"
)

// copiesOf runs one planned job of 8 blocks, of which 4 are read at once.
func copiesOf(table schema.TableName) *copies {
	job := backfill.New("one", table, backfill.Scope{}, time.Now())
	job.Planned, job.Parts = true, []backfill.Part{{OID: 1, Name: table, Filenode: 1, Blocks: 8}}
	cfg := &Config{Backfill: Backfill{Readers: 2, ChunkBlocks: 4}}
	c := newCopies(cfg, &memory{jobs: map[schema.TableName]*backfill.Job{table: job}}, zap.NewNop())
	c.desks[table].Settled()
	return c
}

// TestChunksOfBlocksThatHaveMoved: one reader finds the table rewritten while another's
// chunk waits for the stream.
func TestChunksOfBlocksThatHaveMoved(t *testing.T) {
	table := schema.TableName{Schema: "public", Name: "events"}
	c := copiesOf(table)
	waiting, _ := c.desks[table].Next()
	moved, _ := c.desks[table].Next()
	c.take(&backfill.Result{Order: moved, Err: backfill.ErrRewritten})
	if c.back(&waiting) {
		t.Error("a chunk of the blocks of before still counts")
	}
	if plan, ok := c.desks[table].Next(); !ok || !plan.Settle {
		t.Errorf("next is %+v", plan)
	}
}

// TestChunksOfBeforeAPause: what the stream changed in between was not noted.
func TestChunksOfBeforeAPause(t *testing.T) {
	table := schema.TableName{Schema: "public", Name: "events"}
	c := copiesOf(table)
	before, _ := c.desks[table].Next()
	for _, do := range []Do{DoPause, DoResume} {
		c.command(&Command{ID: string(do), Do: do, Tables: []schema.TableName{table}})
	}
	c.desks[table].Settled()
	again, ok := c.desks[table].Next()
	if !ok || again.Span != before.Span {
		t.Fatalf("%+v is dealt again as %+v", before, again)
	}
	if c.back(&before) {
		t.Error("a chunk that was read before the pause still counts")
	}
	if !c.back(&again) {
		t.Error("the chunk that was read after it does not count")
	}
}
