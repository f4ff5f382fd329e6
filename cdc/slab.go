package cdc

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
	"penstock/schema/record"
)

const (
	slabRecords = 256
	slabBytes   = 256 << 10
)

// slab is where records are made: many in one allocation, which goes when the last of them does. The zero
// slab is ready. Not safe for concurrent use.
type slab struct {
	records []kgo.Record // not given out yet, of the last block; likewise below
	headers []kgo.RecordHeader
	bytes   []byte

	lsn     schema.LSN // of the last event, which the next may have too
	xid     uint32     // likewise
	lsnText []byte     // nil before the first event
	xidText []byte
}

// record returns a copy of r.
func (s *slab) record(r kgo.Record) *kgo.Record {
	if len(s.records) == 0 {
		s.records = make([]kgo.Record, slabRecords)
	}
	made := &s.records[0]
	s.records = s.records[1:]
	*made = r
	return made
}

// buffer returns an empty slice to append about n bytes to. Keep what append returned with
// [slab.keep]; take no other buffer before that.
func (s *slab) buffer(n int) []byte {
	if n > slabBytes/4 { // it would waste too much of a block
		return make([]byte, 0, n)
	}
	if cap(s.bytes) < n {
		s.bytes = make([]byte, 0, slabBytes)
	}
	return s.bytes
}

// keep returns what was appended to the last buffer, nil for nothing.
func (s *slab) keep(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	if room := s.bytes[:cap(s.bytes)]; len(room) > 0 && &b[0] == &room[0] {
		s.bytes = room[len(b):len(b)]
	}
	return slices.Clip(b)
}

// headersOf are those that say where in the source a record comes from.
func (s *slab) headersOf(e *schema.Event, version int64) []kgo.RecordHeader {
	if s.lsnText == nil || s.lsn != e.Source.CommitLSN || s.xid != e.Source.XID {
		s.lsn, s.xid = e.Source.CommitLSN, e.Source.XID
		s.lsnText, s.xidText = s.lsn.Append(nil), strconv.AppendUint(nil, uint64(s.xid), 10)
	}
	const count = 4
	if len(s.headers) < count {
		s.headers = make([]kgo.RecordHeader, count*slabRecords)
	}
	hs := s.headers[:count:count]
	s.headers = s.headers[count:]
	hs[0] = kgo.RecordHeader{Key: record.HeaderLSN, Value: s.lsnText}
	hs[1] = kgo.RecordHeader{Key: record.HeaderSeq, Value: s.keep(strconv.AppendUint(s.buffer(20), e.Source.Seq, 10))}
	hs[2] = kgo.RecordHeader{Key: record.HeaderXID, Value: s.xidText}
	hs[3] = kgo.RecordHeader{Key: record.HeaderVersion, Value: s.keep(strconv.AppendInt(s.buffer(20), version, 10))}
	return hs
}
