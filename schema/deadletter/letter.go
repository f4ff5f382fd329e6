package deadletter

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"penstock/schema"
)

// Reason classes why a record could not be processed. People filter by it, so a
// reason never changes its name.
type Reason string

// The reasons. Only those of which [Reason.Holds] is true say that the source
// has changed in a way that the stores do not show yet.
const (
	BadHeaders   Reason = "bad-headers"      // the coordinates are missing or malformed: not the capture's record
	NullKey      Reason = "null-key"         // a change of a row without a key
	WrongKey     Reason = "wrong-key"        // the key is not the row's join key
	UnknownTable Reason = "unknown-table"    // no side of the pipeline
	BadValue     Reason = "bad-value"        // no envelope, or a column that the pipeline cannot read
	Expression   Reason = "expression"       // a computed column or a filter failed on the row
	TooLarge     Reason = "too-large"        // for a store; nothing of it was written
	Refused      Reason = "refused-by-store" // a store did not take it, and never will; another store may have
	Oversized    Reason = "oversized"        // larger than its topic takes
	BadMessage   Reason = "bad-message"      // a message of the source's that names no topic which takes it
	Waits        Reason = "waits"            // sound, behind a letter of the same key
)

// Reasons lists them all.
func Reasons() []Reason {
	return []Reason{BadHeaders, NullKey, WrongKey, UnknownTable, BadValue, Expression, TooLarge, Refused, Oversized, BadMessage, Waits}
}

// Holds reports whether the record is, or may be, a change of the source: what
// follows of its key then has to wait.
func (r Reason) Holds() bool {
	switch r {
	case BadValue, Expression, TooLarge, Refused:
		return true
	default:
		return false
	}
}

// Header is a header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Record is the original record's content. A nil key or value is Kafka's null.
type Record struct {
	Key     []byte
	Value   []byte
	Headers []Header

	// LeftOut is the value's length in bytes when it is not kept, for it does not
	// fit; Value then is a description. 0 when it is kept.
	LeftOut int
}

// Letter is one record that could not be processed.
type Letter struct {
	Pipeline string // whose sink wrote the letter; empty for a capture's
	Capture  string // the capture that wrote the letter; empty for a pipeline's

	// The original's place: where it lies, or for a capture's where it would have
	// gone. Offset is -1 for a record that is in no topic.
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64 // the record's, milliseconds since the Unix epoch; -1 for none

	// The change's place in the source, zero where that is not known.
	LSN     schema.LSN // the commit's
	Seq     uint64
	Version int64

	Reason Reason
	Error  string    // the whole of what was wrong
	Behind string    // of a letter that waits: the id of the one it waits for
	Time   time.Time // when the letter was written; microseconds are kept

	Record Record
}

// Holds reports whether later records of the key wait for the letter.
func (l *Letter) Holds() bool { return l.Reason.Holds() && l.Record.Key != nil }

// Origin is the pipeline's or the capture's name.
func (l *Letter) Origin() string {
	if l.Pipeline != "" {
		return l.Pipeline
	}
	return l.Capture
}

// ID names the letter: 16 hexadecimal digits made of its place. The timestamp
// tells apart two topics of one name, of which the first was deleted.
func (l *Letter) ID() string {
	place := make([]byte, 0, 256)
	for _, text := range []string{l.Pipeline, l.Capture, l.Topic} {
		place = strconv.AppendInt(place, int64(len(text)), 10)
		place = append(append(place, ':'), text...)
	}
	for _, n := range []int64{int64(l.Partition), l.Offset, l.Timestamp, l.Version} {
		place = append(strconv.AppendInt(place, n, 10), ',')
	}
	for _, n := range []uint64{uint64(l.LSN), l.Seq} {
		place = append(strconv.AppendUint(place, n, 10), ',')
	}
	sum := sha256.Sum256(place)
	return hex.EncodeToString(sum[:8])
}
