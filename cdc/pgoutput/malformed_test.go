package pgoutput_test

import (
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

// wire builds a message from Go values: bytes and strings as they are, integers in
// network order.
func wire(parts ...any) []byte {
	var data []byte
	for _, part := range parts {
		switch p := part.(type) {
		case byte:
			data = append(data, p)
		case rune:
			data = append(data, byte(p))
		case string:
			data = append(data, p...)
		case uint16:
			data = binary.BigEndian.AppendUint16(data, p)
		case uint32:
			data = binary.BigEndian.AppendUint32(data, p)
		case uint64:
			data = binary.BigEndian.AppendUint64(data, p)
		default:
			panic("wire: unknown part")
		}
	}
	return data
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	const oid = uint32(16384)
	cases := []struct {
		name string
		data []byte
		want pgoutput.FormatError
	}{
		{"empty", nil, pgoutput.FormatError{Reason: "message kind: want 1 bytes, 0 left"}},
		{"unknown kind", wire('z', oid), pgoutput.FormatError{Kind: 'z', Reason: "unknown message kind 'z'"}},
		{"stream prepare of version 3", wire('p', oid), pgoutput.FormatError{Kind: 'p', Reason: "unknown message kind 'p'"}},
		{
			"block that is neither first nor a later one", wire('S', oid, byte(2)),
			pgoutput.FormatError{Kind: 'S', Offset: 5, Reason: "first segment: unknown flags 0x02"},
		},
		{
			"stream abort of version 4 with parallel streaming", wire('A', oid, oid, uint64(1), uint64(1)),
			pgoutput.FormatError{Kind: 'A', Offset: 9, Reason: "16 bytes after the message's end"},
		},
		{
			"stream commit without its time", wire('c', oid, byte(0), uint64(1), uint64(1)),
			pgoutput.FormatError{Kind: 'c', Offset: 22, Reason: "commit time: want 8 bytes, 0 left"},
		},
		{
			"unknown column kind", wire('I', oid, 'N', uint16(1), 'z'),
			pgoutput.FormatError{Kind: 'I', Offset: 8, Reason: "unknown column kind 'z'"},
		},
		{
			"2 GiB column", wire('I', oid, 'N', uint16(1), 't', uint32(math.MaxInt32), "abc"),
			pgoutput.FormatError{Kind: 'I', Offset: 13, Reason: "column value: want 2147483647 bytes, 3 left"},
		},
		{
			"column of negative length", wire('I', oid, 'N', uint16(1), 'b', uint32(math.MaxUint32), "abc"),
			pgoutput.FormatError{Kind: 'I', Offset: 13, Reason: "column value: want 4294967295 bytes, 3 left"},
		},
		{
			"more columns than bytes", wire('I', oid, 'N', uint16(math.MaxUint16), 'n', 'n'),
			pgoutput.FormatError{Kind: 'I', Offset: 8, Reason: "65535 columns need 65535 bytes, 2 left"},
		},
		{
			"insert without new row", wire('I', oid, 'O', uint16(0)),
			pgoutput.FormatError{Kind: 'I', Offset: 5, Reason: "new row's mark is 'O', want 'N'"},
		},
		{
			"update with two old rows", wire('U', oid, 'K', uint16(0), 'O', uint16(0)),
			pgoutput.FormatError{Kind: 'U', Offset: 8, Reason: "new row's mark is 'O', want 'N'"},
		},
		{
			"delete with new row", wire('D', oid, 'N', uint16(0)),
			pgoutput.FormatError{Kind: 'D', Offset: 5, Reason: "old row's mark is 'N', want 'K' or 'O'"},
		},
		{
			"relation of more columns than fit", wire('R', oid, "public\x00t\x00", 'd', uint16(2), strings.Repeat("\x00", 19)),
			pgoutput.FormatError{Kind: 'R', Offset: 17, Reason: "2 columns need 20 bytes, 19 left"},
		},
		{
			"unknown replica identity", wire('R', oid, "public\x00t\x00", 'x', uint16(0)),
			pgoutput.FormatError{Kind: 'R', Offset: 14, Reason: "unknown replica identity 'x'"},
		},
		{
			"unknown column flags", wire('R', oid, "\x00t\x00", 'd', uint16(1), byte(6), "c\x00", oid, oid),
			pgoutput.FormatError{Kind: 'R', Offset: 11, Reason: "column flags: unknown flags 0x06"},
		},
		{
			"name without end", wire('Y', oid, "public\x00mood"),
			pgoutput.FormatError{Kind: 'Y', Offset: 12, Reason: "type name: no terminating zero byte"},
		},
		{
			"truncate of 2^32-1 relations", wire('T', uint32(math.MaxUint32), byte(0), oid),
			pgoutput.FormatError{Kind: 'T', Offset: 6, Reason: "4294967295 relation OIDs need 17179869180 bytes, 4 left"},
		},
		{
			"unknown truncate option", wire('T', uint32(1), byte(4), oid),
			pgoutput.FormatError{Kind: 'T', Offset: 5, Reason: "truncate options: unknown flags 0x04"},
		},
		{
			"4 GiB logical message", wire('M', byte(1), uint64(1), "p\x00", uint32(math.MaxUint32), "c"),
			pgoutput.FormatError{Kind: 'M', Offset: 16, Reason: "message content: want 4294967295 bytes, 1 left"},
		},
		{
			"unknown message flag", wire('M', byte(2), uint64(1), "p\x00", uint32(0)),
			pgoutput.FormatError{Kind: 'M', Offset: 1, Reason: "message flags: unknown flags 0x02"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := pgoutput.Parse(c.data)
			checkRefused(t, c.data, m, err)
			if diff := cmp.Diff(&c.want, err); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormatErrorNamesMessageByteAndReason(t *testing.T) {
	err := &pgoutput.FormatError{Kind: pgoutput.KindInsert, Offset: 8, Reason: "unknown column kind 'z'"}
	if got, want := err.Error(), "pgoutput insert message, byte 8: unknown column kind 'z'"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExtremesAreDecoded(t *testing.T) {
	const signBit = uint64(1) << 63
	sinceYear2000 := func(micros int64) uint64 { return uint64(micros) }
	cases := []struct {
		name string
		data []byte
		want pgoutput.Message
	}{
		{
			"zero LSN at the Postgres epoch", wire('B', uint64(0), uint64(0), uint32(0)),
			&pgoutput.Begin{CommitTime: postgresEpoch},
		},
		{
			"largest of all", wire('B', uint64(math.MaxUint64), sinceYear2000(math.MaxInt64), uint32(math.MaxUint32)),
			&pgoutput.Begin{FinalLSN: math.MaxUint64, CommitTime: math.MaxInt64, XID: math.MaxUint32},
		},
		{
			"LSN with the sign bit, earliest time", wire('C', byte(9), signBit, signBit+1, sinceYear2000(math.MinInt64)),
			&pgoutput.Commit{
				Flags: 9, CommitLSN: schema.LSN(signBit), EndLSN: schema.LSN(signBit + 1),
				CommitTime: math.MinInt64 + postgresEpoch,
			},
		},
		{
			"last time that fits", wire('B', uint64(1), sinceYear2000(math.MaxInt64-postgresEpoch), uint32(1)),
			&pgoutput.Begin{FinalLSN: 1, CommitTime: math.MaxInt64, XID: 1},
		},
		{
			"names that are not UTF-8", wire('Y', uint32(7), "\xff\xfe\x00\xc3\x28\x00"),
			&pgoutput.Type{OID: 7, Schema: "\xff\xfe", Name: "\xc3\x28"},
		},
		{
			"truncate of no relation", wire('T', uint32(0), byte(3)),
			&pgoutput.Truncate{Cascade: true, RestartIdentity: true},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := pgoutput.Parse(c.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLyingLengthsAllocateLittle announces as much as the format can express in
// messages of a few bytes.
func TestLyingLengthsAllocateLittle(t *testing.T) {
	const oid, rounds, limit = uint32(1), 1000, 1 << 10
	liars := [][]byte{
		wire('I', oid, 'N', uint16(math.MaxUint16), 'n'),
		wire('I', oid, 'N', uint16(1), 't', uint32(math.MaxUint32)),
		wire('U', oid, 'O', uint16(1), 'b', uint32(math.MaxInt32)),
		wire('R', oid, "\x00\x00", 'd', uint16(math.MaxUint16), byte(0)),
		wire('T', uint32(math.MaxUint32), byte(0)),
		wire('M', byte(0), uint64(0), "\x00", uint32(math.MaxUint32)),
	}
	for _, data := range liars {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			if _, err := pgoutput.Parse(data); err == nil {
				t.Fatalf("%x: no error", data)
			}
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / rounds; each > limit {
			t.Errorf("%x: %d bytes allocated, want at most %d", data, each, limit)
		}
	}
}
