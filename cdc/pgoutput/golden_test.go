package pgoutput_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"

	"penstock/cdc/pgoutput"
)

func TestGoldensRenderAsRecorded(t *testing.T) {
	for _, s := range load(t) {
		t.Run(s.name(), func(t *testing.T) {
			if len(s.messages) == 0 {
				t.Fatal("nothing recorded: run the live test with -rewrite")
			}
			if diff := cmp.Diff(s.rendered, renderAll(t, s.messages, false)); diff != "" {
				t.Errorf("rendering differs (-recorded +now):\n%s", diff)
			}
		})
	}
}

// renderAll decodes messages with one Decoder, so that its reuse is under test too.
func renderAll(t *testing.T, messages [][]byte, portable bool) []string {
	t.Helper()
	var decoder pgoutput.Decoder
	r := newRenderer(portable)
	lines := make([]string, len(messages))
	for i, sent := range place(messages) {
		xid, data := sent.plain(t)
		m, err := decoder.Parse(data)
		if err != nil {
			t.Fatalf("message %d (%x): %v", i, sent.data, err)
		}
		lines[i] = r.render(m)
		if sent.streamed {
			lines[i] = fmt.Sprintf("streamed xid=%s %s", r.xid(xid), lines[i])
		}
	}
	return lines
}

func TestEveryKindIsRecorded(t *testing.T) {
	recorded := map[pgoutput.Kind]bool{}
	for _, data := range loadMessages(t) {
		recorded[pgoutput.Kind(data[0])] = true
	}
	for _, kind := range []pgoutput.Kind{
		pgoutput.KindBegin, pgoutput.KindCommit, pgoutput.KindOrigin, pgoutput.KindRelation, pgoutput.KindType,
		pgoutput.KindInsert, pgoutput.KindUpdate, pgoutput.KindDelete, pgoutput.KindTruncate, pgoutput.KindLogicalMessage,
		pgoutput.KindStreamStart, pgoutput.KindStreamStop, pgoutput.KindStreamCommit, pgoutput.KindStreamAbort,
	} {
		if !recorded[kind] {
			t.Errorf("no golden holds a %s message", kind)
		}
	}
}

func TestEveryPrefixIsRefused(t *testing.T) {
	for _, data := range loadMessages(t) {
		for n := range data {
			// A copy of the exact size lets the race and bounds checks see an overrun.
			prefix := bytes.Clone(data[:n])
			m, err := pgoutput.Parse(prefix)
			checkRefused(t, prefix, m, err)
		}
	}
}

func TestTrailingBytesAreRefused(t *testing.T) {
	for _, data := range loadMessages(t) {
		longer := append(bytes.Clone(data), 0)
		m, err := pgoutput.Parse(longer)
		checkRefused(t, longer, m, err)
	}
}

// checkRefused wants no message and an error that points into the data.
func checkRefused(t *testing.T, data []byte, m pgoutput.Message, err error) {
	t.Helper()
	var format *pgoutput.FormatError
	switch {
	case !errors.As(err, &format):
		t.Fatalf("%x: got message %+v, error %v; want a FormatError", data, m, err)
	case m != nil:
		t.Fatalf("%x: got a message beside error %v", data, err)
	case format.Offset < 0 || format.Offset > len(data):
		t.Fatalf("%x: offset %d is not in the message", data, format.Offset)
	case len(data) > 0 && format.Kind != pgoutput.Kind(data[0]):
		t.Fatalf("%x: kind %q, want the first byte", data, byte(format.Kind))
	}
}

// TestAgreesWithPglogrepl compares with the decoder most others use, on valid
// messages only: it panics on many that are not.
func TestAgreesWithPglogrepl(t *testing.T) {
	for _, s := range load(t) {
		for _, sent := range place(s.messages) {
			xid, data := sent.plain(t)
			if pgoutput.Kind(data[0]) == pgoutput.KindInsert && len(data) == shortestInsert {
				continue
			}
			want, err := pglogrepl.ParseV2(sent.data, sent.streamed)
			if err != nil {
				t.Fatalf("pglogrepl %x: %v", sent.data, err)
			}
			got, err := pgoutput.Parse(data)
			if err != nil {
				t.Fatalf("%x: %v", data, err)
			}
			if diff := cmp.Diff(fromPglogrepl(want), got, ignoreReuse); diff != "" {
				t.Errorf("%x (-pglogrepl +ours):\n%s", data, diff)
			}
			if wantXID := xidFromPglogrepl(want); xid != wantXID {
				t.Errorf("%x: belongs to %d, pglogrepl says %d", sent.data, xid, wantXID)
			}
		}
	}
}

// shortestInsert is the length of a row without columns, which the server sends
// and pglogrepl refuses.
const shortestInsert = 1 + 4 + 1 + 2
