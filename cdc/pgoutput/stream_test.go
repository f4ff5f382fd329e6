package pgoutput_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

// streamed is a message as it stands within a block of xid.
func streamed(xid uint32, message []byte) []byte {
	return append(wire(message[0], xid), message[1:]...)
}

// TestStreamedMessagesHaveTheBytesOfUnstreamedOnes puts every recorded message
// that may be streamed into a block and takes it out again.
func TestStreamedMessagesHaveTheBytesOfUnstreamedOnes(t *testing.T) {
	const xid = 0xfedcba98
	tried := map[pgoutput.Kind]bool{}
	for _, want := range loadMessages(t) {
		switch kind := pgoutput.Kind(want[0]); kind {
		case pgoutput.KindRelation, pgoutput.KindType, pgoutput.KindInsert, pgoutput.KindUpdate, pgoutput.KindDelete,
			pgoutput.KindTruncate, pgoutput.KindLogicalMessage:
			tried[kind] = true
		default:
			continue
		}
		gotXID, got, err := pgoutput.Unstream(streamed(xid, want))
		if err != nil || gotXID != xid || !bytes.Equal(got, want) {
			t.Fatalf("got %x of %x, error %v; want %x", got, gotXID, err, want)
		}
	}
	if len(tried) != 7 {
		t.Errorf("only kinds %v were tried, want 7", tried)
	}
}

func TestUnstreamRefusesWhatIsNotInABlock(t *testing.T) {
	cases := []struct {
		name string
		data []byte
		want pgoutput.FormatError
	}{
		{"nothing", nil, pgoutput.FormatError{Reason: "message kind: want 1 bytes, 0 left"}},
		{"half an id", wire('I', uint16(7)), pgoutput.FormatError{Kind: 'I', Offset: 1, Reason: "transaction id: want 4 bytes, 2 left"}},
		{"a begin", wire('B', uint64(1), uint64(1), uint32(1)), pgoutput.FormatError{
			Kind: 'B', Reason: "kind 'B' cannot be in a block of a streamed transaction",
		}},
		{"another block", wire('S', uint32(1), byte(1)), pgoutput.FormatError{
			Kind: 'S', Reason: "kind 'S' cannot be in a block of a streamed transaction",
		}},
		{"no kind of pgoutput", wire('z', uint32(1)), pgoutput.FormatError{
			Kind: 'z', Reason: "kind 'z' cannot be in a block of a streamed transaction",
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, message, err := pgoutput.Unstream(c.data)
			if diff := cmp.Diff(&c.want, err); diff != "" || message != nil {
				t.Errorf("message %x, error (-want +got):\n%s", message, diff)
			}
		})
	}
}

func TestUnstreamedOriginStaysAsItIs(t *testing.T) {
	origin := wire('O', uint64(7), "upstream\x00")
	xid, got, err := pgoutput.Unstream(bytes.Clone(origin))
	if err != nil || xid != 0 || !bytes.Equal(got, origin) {
		t.Errorf("got %x of %d, error %v", got, xid, err)
	}
}

func TestUnstreamAllocatesNothing(t *testing.T) {
	row := insertRow()
	data := streamed(7, row)
	allocs := testing.AllocsPerRun(1000, func() {
		data[4] = 7 // what the message's kind has overwritten
		if _, _, err := pgoutput.Unstream(data); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a message, want 0", allocs)
	}
}

// TestStreamCommitStandsForBeginAndCommit at the ends of what they can say, too.
func TestStreamCommitStandsForBeginAndCommit(t *testing.T) {
	for _, c := range []pgoutput.StreamCommit{
		{XID: 7, CommitLSN: 1 << 40, EndLSN: 1<<40 + 48, CommitTime: 1_756_138_420_436_907},
		{XID: math.MaxUint32, Flags: 0xff, CommitLSN: math.MaxUint64, EndLSN: math.MaxUint64, CommitTime: math.MaxInt64},
		{CommitTime: math.MinInt64 + postgresEpoch},
	} {
		begin := &pgoutput.Begin{FinalLSN: c.CommitLSN, CommitTime: c.CommitTime, XID: c.XID}
		commit := &pgoutput.Commit{Flags: c.Flags, CommitLSN: c.CommitLSN, EndLSN: c.EndLSN, CommitTime: c.CommitTime}
		for _, message := range []struct {
			data []byte
			want pgoutput.Message
		}{{c.AppendBegin(nil), begin}, {c.AppendCommit(nil), commit}} {
			got, err := pgoutput.Parse(message.data)
			if diff := cmp.Diff(message.want, got); err != nil || diff != "" {
				t.Errorf("%+v: error %v (-want +got):\n%s", c, err, diff)
			}
		}
	}
}

func TestStreamMessagesAreDecoded(t *testing.T) {
	const signBit = uint64(1) << 63
	cases := []struct {
		name string
		data []byte
		want pgoutput.Message
	}{
		{"first block", wire('S', uint32(math.MaxUint32), byte(1)), &pgoutput.StreamStart{XID: math.MaxUint32, First: true}},
		{"later block", wire('S', uint32(7), byte(0)), &pgoutput.StreamStart{XID: 7}},
		{"end of a block", wire('E'), &pgoutput.StreamStop{}},
		{"abort", wire('A', uint32(7), uint32(8)), &pgoutput.StreamAbort{XID: 7, SubXID: 8}},
		{"commit", wire('c', uint32(7), byte(9), signBit, signBit+1, uint64(1)), &pgoutput.StreamCommit{
			XID: 7, Flags: 9, CommitLSN: schema.LSN(signBit), EndLSN: schema.LSN(signBit + 1), CommitTime: postgresEpoch + 1,
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := pgoutput.Parse(c.data)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// FuzzUnstream: must not panic, and must be undone by putting the id back.
func FuzzUnstream(f *testing.F) {
	for _, s := range load(f) {
		for _, m := range place(s.messages) {
			if m.streamed {
				f.Add(m.data)
			}
		}
	}
	f.Add(streamed(7, insertRow()))
	f.Fuzz(func(t *testing.T, data []byte) {
		xid, message, err := pgoutput.Unstream(bytes.Clone(data))
		if err != nil {
			if _, ok := errors.AsType[*pgoutput.FormatError](err); !ok || message != nil {
				t.Fatalf("%x: message %x, error %v", data, message, err)
			}
			return
		}
		again := message
		if pgoutput.Kind(data[0]) != pgoutput.KindOrigin {
			again = streamed(xid, message)
		}
		if !bytes.Equal(again, data) {
			t.Fatalf("%x is streamed again as %x", data, again)
		}
	})
}
