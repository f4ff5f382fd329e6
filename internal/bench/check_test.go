package bench

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestEveryChangeIsCountedOnce(t *testing.T) {
	record := func(id int) *kgo.Record {
		return &kgo.Record{Key: fmt.Appendf(nil, `{"id":%d}`, id), Value: fmt.Appendf(nil, `{"before":null,"after":{"id":%d,"token":"x"}}`, id)}
	}
	other := record(2)
	other.Value = record(3).Value
	for _, c := range []struct {
		name    string
		changes int // of each row
		records []*kgo.Record
		want    string // of the error; empty: none
	}{
		{"all", 1, []*kgo.Record{record(3), record(1), record(2)}, ""},
		{"all, twice", 2, []*kgo.Record{record(3), record(1), record(2), record(3), record(1), record(2)}, ""},
		{"one thrice of two", 2, []*kgo.Record{record(3), record(1), record(3), record(3)}, "row 3 is one too many"},
		{"the second of one is missing", 2, []*kgo.Record{record(3), record(1), record(2), record(3), record(1)}, "5 of 6 changes"},
		{"one is missing", 1, []*kgo.Record{record(1), record(3)}, "2 of 3 changes"},
		{"one twice", 1, []*kgo.Record{record(1), record(2), record(2), record(3)}, "row 2 is one too many"},
		{"one that is none", 1, []*kgo.Record{record(4)}, "row 4 is one too many"},
		{"a key of another kind", 1, []*kgo.Record{{Key: []byte("1")}}, "key"},
		{"another row's value", 1, []*kgo.Record{other}, "not row 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			count := newCount(load{rows: 3, changes: c.changes})
			var err error
			for _, r := range c.records {
				if err = count.take(r); err != nil {
					break
				}
			}
			if err == nil {
				err = count.complete()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}
