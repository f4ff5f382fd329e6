package cassandra

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
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

// Check refuses rows that are larger than the server takes. See [sink.Checker].
func (s *Store) Check(writes []sink.Write) error {
	for i := range writes {
		size := textSize(&writes[i])
		if size <= s.maxRow {
			continue
		}
		return &sink.RecordError{Reason: deadletter.TooLarge, Err: &fault.Error{
			Kind: fault.Runtime, Where: "cassandra at " + s.address,
			What: fmt.Sprintf("a row has %d bytes of text, %d are taken", size, s.maxRow),
			Fix:  "raise commitlog_segment_size and native_transport_max_message_size of the nodes",
		}}
	}
	return nil
}

// textSize is how many bytes the texts of a write have.
func textSize(w *sink.Write) int {
	switch w.Action {
	case sink.PutEvent:
		r := w.Row
		return len(r.Payload.Value) + len(r.Device.Value) + len(r.Type.Value) + len(r.Slug.Value) + len(r.Title.Value) + len(r.ContentType.Value)
	case sink.PutContent:
		return len(w.Content.Slug.Value) + len(w.Content.Title.Value) + len(w.Content.Type.Value)
	default:
		return 0
	}
}
