package deadletter

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"penstock/schema"
)

// The headers. Those of the original record come first, then HeaderFormat, then
// the others: what stands before the last HeaderFormat is the original's.
const (
	HeaderFormat    = "penstock.dlq.format"    // 1
	HeaderPipeline  = "penstock.dlq.pipeline"  // this or HeaderCapture
	HeaderCapture   = "penstock.dlq.capture"   //
	HeaderTopic     = "penstock.dlq.topic"     //
	HeaderPartition = "penstock.dlq.partition" // decimal
	HeaderOffset    = "penstock.dlq.offset"    // decimal; absent when the record is in no topic
	HeaderTimestamp = "penstock.dlq.timestamp" // decimal, milliseconds; absent for none
	HeaderLSN       = "penstock.dlq.lsn"       // as 16/B374D848; with the next two, absent when not known
	HeaderSeq       = "penstock.dlq.seq"       // decimal
	HeaderVersion   = "penstock.dlq.version"   // decimal
	HeaderReason    = "penstock.dlq.reason"    // see [Reasons]
	HeaderError     = "penstock.dlq.error"     // text
	HeaderBehind    = "penstock.dlq.behind"    // an id
	HeaderTime      = "penstock.dlq.time"      // ISO 8601, UTC, microseconds
	HeaderKey       = "penstock.dlq.key"       // the original's key; absent when that is null
	HeaderNull      = "penstock.dlq.null"      // present when the original's value is null
	HeaderLeftOut   = "penstock.dlq.left-out"  // bytes of a value that is not kept
	HeaderState     = "penstock.dlq.state"     // of a decision: see [States]
	HeaderNote      = "penstock.dlq.note"      // of a decision: text
	HeaderSent      = "penstock.dlq.sent"      // of a decision: decimal; absent for nothing
)

// The headers of what a decision sends to the letter's topic.
const (
	// HeaderRetry is on a record that is sent again; the value is the letter's id.
	HeaderRetry = "penstock.dlq.retry"
	// HeaderRelease is on a record that ends the waiting of its key: the sink first
	// processes, in order, the letters of that key whose records lie before it.
	// The value is the id of the letter that was waited for.
	HeaderRelease = "penstock.dlq.release"
)

const (
	format      = "1"
	stateSuffix = "/state"
	timeLayout  = "2006-01-02T15:04:05.000000Z"
)

// Message is a record on the topic of dead letters. Its key is never null, and
// its value is only where it removes what has its key (see [Removals]).
type Message struct {
	Key     []byte
	Value   []byte
	Headers []Header
}

// room is how much larger than its record a letter may be, in bytes.
const room = 64 << 10

// MaxMessageBytes is what max.message.bytes of a topic of dead letters has to be
// for letters of records from a topic that takes as much as said.
func MaxMessageBytes(takes int32) int32 {
	return int32(min(int64(takes)+room, math.MaxInt32))
}

// TopicConfigs are the settings of a topic of dead letters that is created, by
// whoever comes first: it keeps the newest record of each letter and of each
// decision until it is removed, and takes letters of whatever another topic takes.
// Only closed segments are compacted, so one lasts a day. For an hour nothing is,
// so that who reads the topic meanwhile sees what it held when he began.
func TopicConfigs(takes int32) map[string]string {
	return map[string]string{
		"cleanup.policy": "compact", "unclean.leader.election.enable": "false",
		"max.message.bytes": strconv.Itoa(int(MaxMessageBytes(takes))),
		"segment.ms":        "86400000", "min.compaction.lag.ms": "3600000", "max.compaction.lag.ms": "86400000",
	}
}

// Removals are the records that remove a letter and what was decided of it. The
// first must be durable before the second is written: a letter without its
// decision is open.
func Removals(id string) (letter, decision Message) {
	return Message{Key: []byte(id)}, Message{Key: []byte(id + stateSuffix)}
}

// Removed returns the letter that a message without a value removes, or whose
// decision it removes.
func Removed(m Message) (id string, decision bool) {
	return strings.CutSuffix(string(m.Key), stateSuffix)
}

// Message returns the letter's record. It shares the original's memory.
func (l *Letter) Message() Message {
	m := Message{Key: []byte(l.ID()), Value: l.Record.Value}
	hs := slices.Grow(slices.Clone(l.Record.Headers), 18)
	add := func(present bool, key, value string) {
		if present {
			hs = append(hs, Header{key, []byte(value)})
		}
	}
	known := l.LSN != 0 || l.Seq != 0 || l.Version != 0
	add(true, HeaderFormat, format)
	add(l.Pipeline != "", HeaderPipeline, l.Pipeline)
	add(l.Capture != "", HeaderCapture, l.Capture)
	add(true, HeaderTopic, l.Topic)
	add(true, HeaderPartition, strconv.Itoa(int(l.Partition)))
	add(l.Offset >= 0, HeaderOffset, strconv.FormatInt(l.Offset, 10))
	add(l.Timestamp >= 0, HeaderTimestamp, strconv.FormatInt(l.Timestamp, 10))
	add(known, HeaderLSN, l.LSN.String())
	add(known, HeaderSeq, strconv.FormatUint(l.Seq, 10))
	add(known, HeaderVersion, strconv.FormatInt(l.Version, 10))
	add(true, HeaderReason, string(l.Reason))
	add(true, HeaderError, l.Error)
	add(l.Behind != "", HeaderBehind, l.Behind)
	add(true, HeaderTime, l.Time.UTC().Format(timeLayout))
	if l.Record.Key != nil {
		hs = append(hs, Header{HeaderKey, l.Record.Key})
	}
	add(l.Record.Value == nil, HeaderNull, "value")
	add(l.Record.LeftOut > 0, HeaderLeftOut, strconv.Itoa(l.Record.LeftOut))
	if m.Value == nil {
		m.Value = []byte{}
	}
	m.Headers = hs
	return m
}

// Message returns the decision's record, which lies beside the letter's.
func (d *Decision) Message() Message {
	hs := []Header{
		{HeaderFormat, []byte(format)}, {HeaderState, []byte(d.State)}, {HeaderTime, []byte(d.Time.UTC().Format(timeLayout))},
		{HeaderNote, []byte(d.Note)},
	}
	if d.Sent >= 0 {
		hs = append(hs, Header{HeaderSent, strconv.AppendInt(nil, d.Sent, 10)})
	}
	m := Message{Key: []byte(d.ID + stateSuffix), Value: d.Value, Headers: hs}
	if d.Value == nil {
		m.Value = []byte{}
		m.Headers = append(m.Headers, Header{HeaderNull, []byte("value")})
	}
	return m
}

// Parse reads a record of the topic that has a value: a letter or a decision, the other is nil.
// It shares the message's memory. The error says what is wrong with a record
// that neither [Letter.Message] nor [Decision.Message] wrote.
func Parse(m Message) (*Letter, *Decision, error) {
	begin := -1
	for i := range m.Headers {
		if m.Headers[i].Key == HeaderFormat {
			begin = i
		}
	}
	if begin < 0 {
		return nil, nil, fmt.Errorf("header %s is missing", HeaderFormat)
	}
	if v := string(m.Headers[begin].Value); v != format {
		return nil, nil, fmt.Errorf("header %s is %q, and this program knows %s", HeaderFormat, v, format)
	}
	r := reader{headers: m.Headers[begin+1:]}
	if id, ok := strings.CutSuffix(string(m.Key), stateSuffix); ok {
		d := r.decision(id, m.Value)
		return nil, d, r.err
	}
	l := r.letter(m.Value, m.Headers[:begin:begin])
	if r.err == nil && l.ID() != string(m.Key) {
		r.err = fmt.Errorf("key %q is not the letter's id, %s", m.Key, l.ID())
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	return l, nil, nil
}

// reader reads the headers of a message and keeps the first error.
type reader struct {
	headers []Header
	err     error
}

func (r *reader) letter(value []byte, original []Header) *Letter {
	l := &Letter{
		Pipeline: r.text(HeaderPipeline), Capture: r.text(HeaderCapture), Topic: r.required(HeaderTopic),
		Partition: int32(r.integer(HeaderPartition, 32, -1)), Offset: r.integer(HeaderOffset, 64, -1), Timestamp: r.integer(HeaderTimestamp, 64, -1),
		Seq: r.unsigned(HeaderSeq), Version: r.integer(HeaderVersion, 64, 0),
		Reason: Reason(r.required(HeaderReason)), Error: r.text(HeaderError), Behind: r.text(HeaderBehind), Time: r.time(),
	}
	if text := r.text(HeaderLSN); text != "" {
		var err error
		l.LSN, err = schema.ParseLSN(text)
		r.keep(HeaderLSN, err)
	}
	if (l.Pipeline == "") == (l.Capture == "") {
		r.keep(HeaderPipeline, fmt.Errorf("or %s, and not both, must be there", HeaderCapture))
	}
	if l.Partition < 0 || l.Offset < -1 || l.Timestamp < -1 {
		r.keep(HeaderPartition, errors.New("or offset or timestamp is missing or negative"))
	}
	l.Record = Record{Value: value, LeftOut: int(r.integer(HeaderLeftOut, 32, 0))}
	if l.Record.LeftOut < 0 {
		r.keep(HeaderLeftOut, errors.New("is negative"))
	}
	if len(original) > 0 {
		l.Record.Headers = original
	}
	if key, found := r.find(HeaderKey); found {
		l.Record.Key = append([]byte{}, key...)
	}
	l.Record.Value = r.value(value)
	return l
}

func (r *reader) decision(id string, value []byte) *Decision {
	d := &Decision{
		ID: id, State: State(r.required(HeaderState)), Time: r.time(), Note: r.text(HeaderNote),
		Sent: r.integer(HeaderSent, 64, -1), Value: r.value(value),
	}
	if !slices.Contains(States(), d.State) {
		r.keep(HeaderState, fmt.Errorf("%q is none", d.State))
	}
	if d.Sent < -1 {
		r.keep(HeaderSent, errors.New("is negative"))
	}
	if r.err != nil {
		return nil
	}
	return d
}

// value is what a message's value stands for.
func (r *reader) value(value []byte) []byte {
	if _, null := r.find(HeaderNull); null {
		if len(value) > 0 {
			r.keep(HeaderNull, errors.New("stands on a record with a value"))
		}
		return nil
	}
	if value == nil {
		return []byte{}
	}
	return value
}

func (r *reader) find(key string) ([]byte, bool) {
	for i := range r.headers {
		if r.headers[i].Key == key {
			return r.headers[i].Value, true
		}
	}
	return nil, false
}

func (r *reader) text(key string) string {
	value, _ := r.find(key)
	return string(value)
}

func (r *reader) required(key string) string {
	value, found := r.find(key)
	if !found || len(value) == 0 {
		r.keep(key, errors.New("is missing"))
	}
	return string(value)
}

func (r *reader) integer(key string, bits int, absent int64) int64 {
	value, found := r.find(key)
	if !found {
		return absent
	}
	n, err := strconv.ParseInt(string(value), 10, bits)
	r.keep(key, err)
	return n
}

func (r *reader) unsigned(key string) uint64 {
	value, found := r.find(key)
	if !found {
		return 0
	}
	n, err := strconv.ParseUint(string(value), 10, 64)
	r.keep(key, err)
	return n
}

func (r *reader) time() time.Time {
	at, err := time.Parse(timeLayout, r.text(HeaderTime))
	r.keep(HeaderTime, err)
	return at
}

func (r *reader) keep(key string, err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("header %s: %w", key, err)
	}
}
