package cdc

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

// look describes the publications as they are now, for [Capture.resume].
func (c *Capture) look(ctx context.Context) (found []slot.Publication, err error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	err = c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		found, err = c.publications(ctx, db)
		return err
	})
	return found, err
}

// remember hands over what the publications are made of, for the next Kafka transaction.
func (c *Capture) remember(ctx context.Context, producer *Producer, entries []slot.Entry) error {
	r, err := c.cfg.entriesRecord(entries)
	if err != nil {
		return err
	}
	return producer.Produce(ctx, []*kgo.Record{r})
}

// keptEntry is an entry as the position topic holds it: many have to fit into one record.
type keptEntry struct {
	OID    uint32 `json:"o"`
	RelID  uint32 `json:"r,omitempty"`
	Schema string `json:"s,omitempty"`
	Table  string `json:"t,omitempty"`
}

// keptPublication is a publication likewise.
type keptPublication struct {
	Name    string      `json:"publication"`
	OID     uint32      `json:"oid"`
	Entries []keptEntry `json:"entries"`
}

// entriesRecord is the record of what the publications are made of.
func (c *Config) entriesRecord(entries []slot.Entry) (*kgo.Record, error) {
	var kept []keptPublication
	at := map[string]int{}
	for _, e := range entries {
		if _, known := at[e.Publication]; !known {
			at[e.Publication] = len(kept)
			kept = append(kept, keptPublication{Name: e.Publication})
		}
		p := &kept[at[e.Publication]]
		if e.Self {
			p.OID = e.OID
		} else {
			p.Entries = append(p.Entries, keptEntry{e.OID, e.RelID, e.Table.Schema, e.Table.Name})
		}
	}
	key, err := record.AppendPublicationsKey(nil, c.Name)
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encode what the publications are made of: %w", err)
	}
	return &kgo.Record{Topic: c.PositionTopic, Key: key, Value: value}, nil
}

// parseEntries reads the value of an entriesRecord.
func parseEntries(value []byte) (entries []slot.Entry, err error) {
	var kept []keptPublication
	if err := json.Unmarshal(value, &kept); err != nil {
		return nil, fmt.Errorf("record of what the publications are made of: %w", err)
	}
	for _, p := range kept {
		entries = append(entries, slot.Entry{Publication: p.Name, OID: p.OID, Self: true})
		for _, e := range p.Entries {
			entries = append(entries, slot.Entry{Publication: p.Name, OID: e.OID, RelID: e.RelID, Table: schema.TableName{Schema: e.Schema, Name: e.Table}})
		}
	}
	return entries, nil
}

// stillOf are the entries of publications that have not been dropped since. One that was, and
// is there again, needs no look: the server says so itself at the first row that it missed.
func stillOf(entries []slot.Entry, found []slot.Publication) []slot.Entry {
	now := entriesOf(found)
	dropped := map[string]bool{}
	for _, e := range entries {
		if e.Self && !isIn(now, e) {
			dropped[e.Publication] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e slot.Entry) bool { return dropped[e.Publication] })
}

// entriesOf are what the publications are made of.
func entriesOf(found []slot.Publication) []slot.Entry {
	var all []slot.Entry
	for i := range found {
		all = append(all, found[i].Entries...)
	}
	return all
}

// isIn reports whether an entry is still one of those of now.
func isIn(now []slot.Entry, e slot.Entry) bool {
	return slices.ContainsFunc(now, func(n slot.Entry) bool { return n.OID == e.OID })
}

// known are the entries of now, and with them those that have left and may: one that comes
// back was out. What the configuration captures no more is forgotten.
func (c *Config) known(before []slot.Entry, found []slot.Publication) []slot.Entry {
	now := entriesOf(found)
	all := slices.Clone(now)
	for _, e := range before {
		_, matched := c.matching(e.Table)
		captured := matched || e.RelID == 0 && c.Match != nil
		if captured && !isIn(now, e) && c.mayLeave(e, now) {
			all = append(all, e)
		}
	}
	// As they come back from their record: those of one publication together.
	slices.SortStableFunc(all, func(a, b slot.Entry) int {
		return cmp.Compare(slices.Index(c.Publications, a.Publication), slices.Index(c.Publications, b.Publication))
	})
	return all
}

// replaced returns the name of an entry that is gone, although its table is
// published: it was out of the publication for a while, and Postgres has
// not sent what was written to it meanwhile. A table that is captured for its name may
// leave, and another of the name may come.
func (c *Config) replaced(before []slot.Entry, found []slot.Publication) (name string) {
	now := entriesOf(found)
	for _, e := range before {
		if !isIn(now, e) && !c.mayLeave(e, now) && !c.left(e.Table, found) {
			return e.String()
		}
	}
	return ""
}

// What is said of an entry that was replaced, and why it matters.
const (
	wasReplaced = "was taken out and put back, or set anew, perhaps with other columns, "
	notSent     = "what was written while it was out is not sent"
)

// compareEntries refuses to go on while streaming when an entry was replaced.
func (c *Config) compareEntries(before []slot.Entry, found []slot.Publication) error {
	name := c.replaced(before, found)
	if name == "" {
		return nil
	}
	return &fault.Error{
		Kind: fault.Refused, Where: name, What: wasReplaced + "between two looks", Why: notSent,
		Fix: "compare the table with its topic, if rows may have been written meanwhile, and start again: it names the word that goes on",
	}
}

// left reports whether a table that has to be published is not.
func (c *Config) left(table schema.TableName, found []slot.Publication) bool {
	return slices.Contains(tableNames(c), table) && !slices.ContainsFunc(found, func(p slot.Publication) bool {
		return slices.ContainsFunc(p.Tables, func(t slot.PublishedTable) bool { return t.TableName == table })
	})
}

// mayLeave reports whether an entry that is gone was of what is captured for its name alone, a
// table or all of a schema, and that same one has not come back.
func (c *Config) mayLeave(e slot.Entry, now []slot.Entry) bool {
	named := slices.ContainsFunc(c.Tables, func(t Table) bool {
		return !t.Matched && t.Name.Schema == e.Table.Schema && (e.RelID == 0 || t.Name == e.Table)
	})
	return !e.Self && !named && !slices.ContainsFunc(now, func(n slot.Entry) bool {
		return !n.Self && n.RelID == e.RelID && (e.RelID != 0 || n.Table.Schema == e.Table.Schema)
	})
}

// rowsOf tells whether the publications themselves have been altered.
func rowsOf(found []slot.Publication) map[string]string {
	rows := map[string]string{}
	for i := range found {
		rows[found[i].Name] = found[i].Row
	}
	return rows
}

// compareRows refuses to go on while streaming when a publication was altered between two looks:
// an operation may have been left out meanwhile.
func compareRows(before map[string]string, found []slot.Publication) error {
	for i := range found {
		if row, seen := before[found[i].Name]; seen && row != found[i].Row {
			return &fault.Error{
				Kind: fault.Refused, Where: "publication " + found[i].Name, What: "was altered between two looks",
				Why: "of an operation that was left out meanwhile, nothing was sent",
				Fix: "compare the tables with their topics, if publish was among what was altered, and start again",
			}
		}
	}
	return nil
}
