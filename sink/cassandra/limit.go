package cassandra

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/plan"
)

const (
	// defaultMaxRow stands for the limits of a server that does not tell them: half a
	// segment of the commit log, where that is the default.
	defaultMaxRow = 16 << 20
	rowMargin     = 64 << 10 // what a row has beside its texts, in bytes, and more
)

// readLimit asks the server how large a row may be: it refuses larger messages and
// larger mutations. What it does not tell is taken for the default.
func (s *Store) readLimit(ctx context.Context) {
	s.maxRow = defaultMaxRow
	for _, setting := range []string{"native_transport_max_message_size", "max_mutation_size"} {
		var value string
		query := s.session.Query("SELECT value FROM system_views.settings WHERE name = ?", setting)
		if err := query.Idempotent(true).ScanContext(ctx, &value); err != nil {
			continue // before Cassandra 4.1, or without the right to read it
		}
		if bytes, ok := parseSize(value); ok {
			s.maxRow = min(s.maxRow, bytes)
		}
	}
	s.maxRow = max(s.maxRow-rowMargin, rowMargin)
}

// parseSize reads a size as Cassandra prints it, such as 4096KiB.
func parseSize(text string) (int, bool) {
	for _, unit := range []struct {
		suffix string
		bytes  int
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}} {
		if digits, ok := strings.CutSuffix(text, unit.suffix); ok {
			n, err := strconv.Atoi(digits)
			return n * unit.bytes, err == nil && n > 0 && n < 1<<31
		}
	}
	return 0, false
}

// maxKey is how many bytes Cassandra takes as a column of a key.
const maxKey = 65535

// Check refuses rows that the server does not take: too large, or under a key that
// it does not have. See [sink.Checker].
func (s *Store) Check(writes []sink.Write) error {
	for i := range writes {
		w := &writes[i]
		if size := textSize(w); size > s.maxRow {
			return &sink.RecordError{Reason: deadletter.TooLarge, Err: &fault.Error{
				Kind: fault.Runtime, Where: "cassandra at " + s.address,
				What: fmt.Sprintf("a row has %d bytes of text, %d are taken", size, s.maxRow),
				Fix:  "raise commitlog_segment_size and native_transport_max_message_size of the nodes",
			}}
		}
		if w.Action == sink.PutLookup && len(w.Lookup.Key.Text()) >= maxKey {
			return keyError(s, &s.cql.lookups, deadletter.TooLarge, fmt.Sprintf("the join value has %d bytes, %d are taken", len(w.Lookup.Key.Text()), maxKey-1))
		}
		if w.Action != sink.Put {
			continue
		}
		if err := s.checkKey(&s.cql.history, w); err != nil {
			return err
		}
		for i := range s.cql.views {
			if err := s.checkKey(&s.cql.views[i], w); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkKey refuses a row under whose key a table keeps nothing.
func (s *Store) checkKey(t *table, w *sink.Write) error {
	if !w.Touches(s.plan, t.Place) {
		return nil
	}
	for i, c := range t.Columns[:t.Partition+t.Clustering] {
		if c.Type != plan.Text {
			continue
		}
		reason := deadletter.Refused
		var what string
		switch size := len(w.Row[c.Slot].Text()); {
		case size >= maxKey:
			reason, what = deadletter.TooLarge, fmt.Sprintf("column %s of the key has %d bytes, %d are taken", c.Name, size, maxKey-1)
		case size == 0 && t.Partition == 1 && i == 0 && c.Form == plan.Plain:
			what = fmt.Sprintf("column %s is the whole partition key, and empty", c.Name)
		default:
			continue
		}
		return keyError(s, t, reason, what)
	}
	return nil
}

func keyError(s *Store, t *table, reason deadletter.Reason, what string) error {
	return &sink.RecordError{Reason: reason, Err: &fault.Error{
		Kind: fault.Runtime, Where: "cassandra at " + s.address + ", table " + t.name, What: what,
		Fix: "add another column to the key, or mend the row in the source",
	}}
}

// textSize is how many bytes the texts of a write have.
func textSize(w *sink.Write) int {
	var values []plan.Value
	switch w.Action {
	case sink.Put:
		values = w.Row
	case sink.PutLookup:
		values = w.Lookup.Values
	}
	size := 0
	for i := range values {
		if values[i].Type() == plan.Text {
			size += len(values[i].Text())
		}
	}
	return size
}
