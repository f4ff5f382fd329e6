package cassandra_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/engagement"
)

// TestLargeRows: a server takes what passes the check, many of them at once, and
// what does not pass is the record's own error.
func TestLargeRows(t *testing.T) {
	s := open(t, config(t))
	large := func(id int64, bytes int) sink.Write {
		row := someRow()
		row.ID, row.Payload = id, engagement.Some(strings.Repeat("x", bytes))
		return put(1, row)
	}
	passes := 1 << 10 // the largest power of two that does
	for s.Check([]sink.Write{large(1, 2*passes)}) == nil {
		passes *= 2
	}
	fits := []sink.Write{large(1, passes+passes/2), large(1, passes)}
	fits = slices.DeleteFunc(fits, func(w sink.Write) bool { return s.Check([]sink.Write{w}) != nil })
	for id := range int64(40) {
		fits = append(fits, large(2+id, 200_000))
	}
	if err := errors.Join(s.Check(fits), s.Apply(t.Context(), fits)); err != nil {
		t.Fatal(err)
	}
	tooMuch := large(1, 2*passes)
	if err := s.Apply(t.Context(), []sink.Write{tooMuch}); err == nil {
		t.Errorf("a row of %d bytes is refused before it is sent, but the server takes it", 2*passes)
	}
	err := s.Check([]sink.Write{large(1, 100), large(2, 16<<20)})
	if refused, ok := errors.AsType[*sink.RecordError](err); !ok || refused.Reason != deadletter.TooLarge || !strings.Contains(err.Error(), "a row has 1677") {
		t.Errorf("got %v", err)
	}
}
