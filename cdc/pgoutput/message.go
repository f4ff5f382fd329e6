package pgoutput

// Kind is the first byte of a message.
type Kind byte

// The kinds of protocol versions 1 and 2. Version 2 adds those of streaming, which
// are sent only to a subscriber that asks for it; the kinds of later versions, for
// two-phase transactions, are never sent to one that asks for version 2.
const (
	KindBegin          Kind = 'B'
	KindCommit         Kind = 'C'
	KindOrigin         Kind = 'O'
	KindRelation       Kind = 'R'
	KindType           Kind = 'Y'
	KindInsert         Kind = 'I'
	KindUpdate         Kind = 'U'
	KindDelete         Kind = 'D'
	KindTruncate       Kind = 'T'
	KindLogicalMessage Kind = 'M'
	KindStreamStart    Kind = 'S'
	KindStreamStop     Kind = 'E'
	KindStreamCommit   Kind = 'c'
	KindStreamAbort    Kind = 'A'
)

// String names the kind in lower case, for errors and logs.
func (k Kind) String() string {
	switch k {
	case KindBegin:
		return "begin"
	case KindCommit:
		return "commit"
	case KindOrigin:
		return "origin"
	case KindRelation:
		return "relation"
	case KindType:
		return "type"
	case KindInsert:
		return "insert"
	case KindUpdate:
		return "update"
	case KindDelete:
		return "delete"
	case KindTruncate:
		return "truncate"
	case KindLogicalMessage:
		return "logical"
	case KindStreamStart:
		return "stream start"
	case KindStreamStop:
		return "stream stop"
	case KindStreamCommit:
		return "stream commit"
	case KindStreamAbort:
		return "stream abort"
	}
	return "unknown"
}

// Message is one of *[Begin], *[Commit], *[Origin], *[Relation], *[Type],
// *[Insert], *[Update], *[Delete], *[Truncate], *[LogicalMessage], *[StreamStart],
// *[StreamStop], *[StreamCommit] and *[StreamAbort].
type Message interface {
	// decode reads what follows the kind byte. It also seals the interface.
	decode(c *cursor)
}

// Parse decodes one message into memory of its own, except that tuples and
// message contents alias data. A stream is decoded with less garbage by one
// [Decoder].
func Parse(data []byte) (Message, error) {
	return new(Decoder).Parse(data)
}

// Decoder decodes messages into memory that it reuses, so that a row costs no
// allocation. The zero Decoder is ready. Not safe for concurrent use.
type Decoder struct {
	cursor cursor

	begin    Begin
	commit   Commit
	origin   Origin
	typ      Type
	insert   Insert
	update   Update
	delete   Delete
	truncate Truncate
	logical  LogicalMessage

	streamStart  StreamStart
	streamStop   StreamStop
	streamCommit StreamCommit
	streamAbort  StreamAbort
}

// Parse decodes one message; one within a block of a streamed transaction has gone
// through [Unstream] before. The message is valid until the next call, and its
// tuples and contents alias data. Only a [Relation]'s *schema.Relation is new each
// time and may be kept. The error is a *[FormatError].
func (d *Decoder) Parse(data []byte) (Message, error) {
	c := &d.cursor
	*c = cursor{data: data}
	m := d.next(Kind(c.byte("message kind")))
	if m == nil && c.err == nil {
		c.failAt(0, "unknown message kind %q", data[0])
	}
	if c.err == nil {
		m.decode(c)
	}
	if c.err == nil && c.remaining() > 0 {
		c.failAt(c.offset, "%d bytes after the message's end", c.remaining())
	}
	if c.err != nil {
		return nil, c.err
	}
	return m, nil
}

// next returns the message to decode into, or nil for an unknown kind.
func (d *Decoder) next(kind Kind) Message {
	switch kind {
	case KindBegin:
		return &d.begin
	case KindCommit:
		return &d.commit
	case KindOrigin:
		return &d.origin
	case KindRelation:
		return &Relation{}
	case KindType:
		return &d.typ
	case KindInsert:
		return &d.insert
	case KindUpdate:
		return &d.update
	case KindDelete:
		return &d.delete
	case KindTruncate:
		return &d.truncate
	case KindLogicalMessage:
		return &d.logical
	case KindStreamStart:
		return &d.streamStart
	case KindStreamStop:
		return &d.streamStop
	case KindStreamCommit:
		return &d.streamCommit
	case KindStreamAbort:
		return &d.streamAbort
	}
	return nil
}
