package parity

import (
	"strings"
	"testing"
	"time"
)

func TestCopiesAreComparedByTheirTimes(t *testing.T) {
	c := Copies{
		Rows: 1000, Bytes: 10 << 20, Nowhere: Copy{Took: time.Second}, Penstock: Copy{Took: 2 * time.Second, Memory: 100 << 20},
		Debezium: Copy{Took: 10 * time.Second, Memory: 700 << 20},
	}
	var text strings.Builder
	if err := c.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Penstock     500   5.0      2.0     0.50         5.00       100 MB", "5.0 times as fast as Debezium; the aim of 8 is not met"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}
