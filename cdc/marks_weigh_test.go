package cdc

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

// counting is an assembler and a router that count as Debezium does.
type counting struct {
	t         *testing.T
	assembler *Assembler
	router    *Router
	blocks    []string // operation, total order and order in its collection, of each record that has a value
}

func newCounting(t *testing.T, from schema.Position, skip ...schema.Op) *counting {
	t.Helper()
	cfg := &Config{
		Name: "engagement", MarkCommits: true, Messages: Messages{Topic: "messages"},
		Tables: []Table{{Name: docsTable, Topic: "docs", Transactions: true, Skip: skip}, {Name: plainTable, Topic: "plain", Transactions: true}},
	}
	known := layout{partitions: map[string]int32{"docs": 1, "plain": 1}}
	c := &counting{t: t, assembler: NewAssembler(from), router: newRouter(cfg, "db", known, nil)}
	c.router.messages.open = messageRouter(new([]string)).messages.open
	c.assembler.takes, c.assembler.weigh = cfg.Messages.takes, c.router.weigh
	return c
}

func (c *counting) send(messages ...pgoutput.Message) {
	c.t.Helper()
	for i, m := range messages {
		step, err := c.assembler.Message(m, fmt.Appendf(nil, "%d %T", i, m))
		if err != nil {
			c.t.Fatal(err)
		}
		for j := range step.Events {
			records, err := c.router.Route(c.t.Context(), nil, &step.Events[j], 1)
			if err != nil {
				c.t.Fatal(err)
			}
			for _, r := range records {
				c.note(r)
			}
		}
	}
}

func (c *counting) note(r *kgo.Record) {
	c.t.Helper()
	var v struct {
		Op          string
		Transaction struct {
			Total int `json:"total_order"`
			Order int `json:"data_collection_order"`
		}
	}
	if r.Value == nil {
		return
	}
	if err := json.Unmarshal(r.Value, &v); err != nil {
		c.t.Fatal(err)
	}
	c.blocks = append(c.blocks, fmt.Sprintf("%s %d %d", v.Op, v.Transaction.Total, v.Transaction.Order))
}

// busy is a commit of every kind of change.
func busy() []pgoutput.Message {
	docs, plain := docsRelation(), keylessRelation()
	plain.OID = 9
	return []pgoutput.Message{
		&pgoutput.Begin{FinalLSN: 0x300, XID: 9, CommitTime: 1000},
		&pgoutput.Relation{Relation: docs}, &pgoutput.Relation{Relation: plain},
		&pgoutput.Insert{RelationOID: docs.OID, New: row("1", "T", "{}")},
		&pgoutput.Update{RelationOID: docs.OID, Old: row("1", "null", "null"), New: row("2", "T", "{}")},
		&pgoutput.LogicalMessage{Transactional: true, Prefix: "said", Content: []byte("x")},
		&pgoutput.Insert{RelationOID: plain.OID, New: row("a", "b")},
		&pgoutput.Update{RelationOID: docs.OID, New: row("2", "U", "{}")},
		&pgoutput.Delete{RelationOID: docs.OID, Old: row("2", "null", "null")},
		&pgoutput.Truncate{RelationOIDs: []uint32{docs.OID, plain.OID}},
	}
}

func TestCountsAreDebeziums(t *testing.T) {
	for _, c := range []struct {
		name   string
		skip   []schema.Op
		blocks []string
		counts string
	}{
		{
			"an update of the key is two", nil,
			[]string{"c 1 1", "d 2 2", "c 3 3", "m 4 1", "c 5 1", "u 6 4", "d 7 5", "t 8 6", "t 9 2"},
			"[{LOGICAL_DECODING_MESSAGE 1} {public.docs 6} {public.plain 2}]",
		},
		{
			"what is skipped is none", []schema.Op{schema.OpUpdate, schema.OpTruncate},
			[]string{"c 1 1", "m 2 1", "c 3 1", "d 4 2", "t 5 2"},
			"[{LOGICAL_DECODING_MESSAGE 1} {public.docs 2} {public.plain 2}]",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := newCounting(t, schema.Position{}, c.skip...)
			whole.send(busy()...)
			if diff := cmp.Diff(c.blocks, whole.blocks); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
			if got := fmt.Sprint(whole.assembler.Mark(true).Counts); got != c.counts {
				t.Errorf("counts %s, want %s", got, c.counts)
			}
			// After a restart in the middle the rest is counted as if there had been none.
			for known := 4; known < len(busy()); known++ {
				first := newCounting(t, schema.Position{}, c.skip...)
				first.send(busy()[:known]...)
				rest := newCounting(t, schema.Position{EndLSN: 1, Open: first.assembler.Open()}, c.skip...)
				rest.send(busy()...)
				if diff := cmp.Diff(c.blocks, append(first.blocks, rest.blocks...)); diff != "" {
					t.Errorf("blocks with a restart after %d messages (-want +got):\n%s", known, diff)
				}
				if got := fmt.Sprint(rest.assembler.Mark(true).Counts); got != c.counts {
					t.Errorf("counts %s after a restart after %d messages, want %s", got, known, c.counts)
				}
			}
		})
	}
}
