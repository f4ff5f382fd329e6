package cdc

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/backfill"
	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/debezium"
	"penstock/schema/pgtext"
	"penstock/schema/record"
	"penstock/schema/shape"
)

// byHand is the way on where it cannot be found out what was deleted.
const byHand = "penstock backfill start on the table reads the rows that it has; those that were deleted meanwhile have to be found by hand"

// ownRows reads the keys of a table's own topic back to the texts that Postgres has for them. It takes
// only types and modes in which one text makes one key, and every key has to be made of its texts again,
// octet for octet: else a row that is there would be taken for one that is gone.
type ownRows struct {
	table   *Table
	rel     *schema.Relation
	shape   *shape.Shape
	encoder format.Encoder
}

func newOwnRows(ctx context.Context, c *Config, t *Table, rel *schema.Relation) (*ownRows, error) {
	refuse := func(what string) error {
		return &backfill.Refusal{What: what, Why: "the keys of its topic have to be read back, to find what was deleted", Fix: byHand}
	}
	o := &ownRows{table: t, rel: rel}
	var err error
	if o.shape, err = shape.Compile(rel, t.Rules); err != nil {
		return nil, refuse(err.Error())
	}
	shaped := o.shape.Relation()
	var keyed []string
	for _, i := range o.shape.KeyColumns() {
		keyed = append(keyed, shaped.Columns[i].Name)
	}
	for _, i := range rel.Key {
		if !slices.Contains(keyed, rel.Columns[i].Name) || len(keyed) != len(rel.Key) {
			return nil, refuse(fmt.Sprintf("records are keyed by (%s), which is not the table's key", strings.Join(keyed, ", ")))
		}
	}
	for _, name := range t.Rules.Partition {
		if !slices.Contains(keyed, name) {
			return nil, refuse("column " + name + " chooses the partition of its records, and is not of the key")
		}
	}
	// What a rule makes of a key is not the key.
	long := strings.Repeat("x", 4096)
	probe := make(schema.Tuple, len(rel.Columns))
	for _, i := range rel.Key {
		probe[i] = schema.Value{Kind: schema.Text, Data: []byte(long)}
		if !o.plain(&rel.Columns[i]) {
			return nil, keyRefusal(rel.Columns[i].Name, "has a type whose value is not whole in the key, or not as Postgres prints it")
		}
	}
	shapedProbe := o.shape.Tuple(nil, probe)
	for _, i := range o.shape.KeyColumns() {
		if string(shapedProbe[i].Data) != long {
			return nil, keyRefusal(shaped.Columns[i].Name, "is masked or cut")
		}
	}
	o.encoder, err = t.Format.Compile(ctx, format.Table{
		Origin: debezium.Origin{Version: c.Version, Name: c.Name}, Relation: shaped, Columns: o.shape.RowColumns(), Key: o.shape.KeyColumns(),
		Topic: t.Topic, Transactions: t.Transactions,
	})
	if err != nil {
		return nil, refuse(err.Error())
	}
	return o, nil
}

func keyRefusal(column, why string) error {
	return &backfill.Refusal{What: "column " + column + " of the key " + why, Why: "which rows Kafka holds cannot be told by it", Fix: byHand}
}

func (o *ownRows) about(r *kgo.Record) (key string, exists, truncated bool, err error) {
	if len(r.Key) > 0 {
		return string(r.Key), r.Value != nil && !(o.table.NoTombstones && opOf(r.Value) == string(schema.OpDelete)), false, nil
	}
	op := opOf(r.Value)
	if op == "" || op == string(schema.OpTruncate) { // a format that cannot be asked has no other record without a key
		return "", false, true, nil
	}
	return "", false, false, fmt.Errorf("it has no key and is no truncation (op %q): it may be of a time when the table had none", op)
}

// opOf is the operation that a value of the table's topic tells, empty if it is not JSON or does not tell.
func opOf(value []byte) string {
	type envelope struct {
		Op      string          `json:"op"`
		Payload json.RawMessage `json:"payload"` // with an inline schema
		Data    json.RawMessage `json:"data"`    // of a CloudEvent
	}
	for value != nil {
		var e envelope
		if json.Unmarshal(value, &e) != nil {
			return ""
		}
		if e.Op != "" {
			return e.Op
		}
		if value = e.Payload; value == nil {
			value = e.Data
		}
	}
	return ""
}

func (o *ownRows) key(topicKey string) (backfill.Key, error) {
	row, err := o.parse([]byte(topicKey))
	var again []byte
	if err == nil {
		again, err = o.encoder.AppendKey(nil, o.shape.Tuple(nil, row))
	}
	if err != nil || string(again) != topicKey {
		return nil, &backfill.Refusal{
			What: fmt.Sprintf("the key %.200q of topic %s cannot be read back", topicKey, o.table.Topic), Why: "another format, or another key, may have written it",
			Fix: byHand,
		}
	}
	return backfill.AppendKey(nil, row, o.rel.Key), nil
}

// parse finds the texts of a key.
func (o *ownRows) parse(key []byte) (schema.Tuple, error) {
	if o.table.Format.Kind == format.Debezium && o.table.Format.Schemas {
		var with struct{ Payload json.RawMessage }
		if err := json.Unmarshal(key, &with); err != nil {
			return nil, err
		}
		key = with.Payload
	}
	if o.table.Format.Kind == format.Avro || o.table.Format.Kind == format.Protobuf {
		var err error
		if key, err = o.unwrapped(key); err != nil {
			return nil, err
		}
	}
	row, err := record.ParseRow(o.rel, key)
	if err != nil || o.table.Format.Kind == format.Text {
		return row, err
	}
	for _, i := range o.rel.Key {
		c := &o.rel.Columns[i]
		text, err := o.text(c, row[i].Data)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		row[i] = schema.Value{Kind: schema.Text, Data: text}
	}
	return row, nil
}

// The types that keys are made of; catalogue pg_type.dat.
const (
	typeBool        = 16
	typeBytea       = 17
	typeName        = 19
	typeInt8        = 20
	typeInt2        = 21
	typeInt4        = 23
	typeText        = 25
	typeOID         = 26
	typeBPChar      = 1042
	typeVarchar     = 1043
	typeDate        = 1082
	typeTime        = 1083
	typeTimestamp   = 1114
	typeTimestamptz = 1184
	typeNumeric     = 1700
	typeUUID        = 2950
	typeCIDR        = 650
	typeFloat4      = 700
	typeFloat8      = 701
	typeMacaddr8    = 774
	typeMacaddr     = 829
	typeInet        = 869
)

// unprinted is the first column of the key whose value has several texts that JSON does not tell apart.
func unprinted(rel *schema.Relation) (string, bool) {
	for _, i := range rel.Key {
		c := &rel.Columns[i]
		if c.Type == nil {
			continue
		}
		if base, _ := c.Type.Base(c.TypeMod); base.OID == typeFloat4 || base.OID == typeFloat8 {
			return c.Name, true
		}
	}
	return "", false
}

// plain reports whether a key of the column is one text, and the other way round.
func (o *ownRows) plain(c *schema.Column) bool {
	if c.Type == nil {
		return false
	}
	f := &o.table.Format
	base, mod := c.Type.Base(c.TypeMod)
	millis := mod >= 0 && mod <= 3 // a column without more than that
	switch {
	case f.Kind == format.Text: // but for floats every type is its text there
		return base.OID != typeFloat4 && base.OID != typeFloat8
	case base.Kind == schema.TypeEnum:
		return true
	case base.Kind != schema.TypeBase:
		return false
	}
	ofConnect := f.Kind != format.JSON && f.Options.Time == debezium.TimeConnect
	if ofConnect && f.Kind == format.Protobuf && slices.Contains([]uint32{typeDate, typeTime, typeTimestamp}, base.OID) {
		return false // a message of Google's
	}
	switch base.OID {
	case typeBool, typeBytea, typeName, typeInt2, typeInt4, typeInt8, typeText, typeOID, typeBPChar, typeVarchar, typeUUID,
		typeCIDR, typeInet, typeMacaddr, typeMacaddr8, typeDate, typeTimestamptz:
		return true
	case typeTime:
		return f.Kind == format.JSON || f.Options.Time != debezium.TimeISOString && (!ofConnect || millis)
	case typeTimestamp:
		return !ofConnect || millis
	case typeNumeric:
		return f.Kind == format.JSON || f.Options.Decimal == debezium.DecimalPrecise && mod >= 0
	}
	return false
}

// text is what Postgres prints of a value that Kafka's key has as raw: a JSON string without its
// quotes, or another scalar as it stands.
func (o *ownRows) text(c *schema.Column, raw []byte) ([]byte, error) {
	f := &o.table.Format
	base, mod := c.Type.Base(c.TypeMod)
	switch {
	case base.OID == typeBytea:
		return byteaText(f, raw)
	case base.OID == typeTimestamptz: // ParseRow has read what has no zeros at the end
		return zonedText(raw), nil
	case base.OID == typeTimestamp && f.Kind == format.JSON:
		return bytes.Replace(raw, []byte("T"), []byte(" "), 1), nil
	case f.Kind == format.JSON:
		return raw, nil
	case base.OID == typeNumeric:
		return numericText(raw, mod)
	case base.OID == typeDate, base.OID == typeTime, base.OID == typeTimestamp:
		return civilText(base.OID, f.Options.Time, mod, raw)
	}
	return raw, nil
}

func byteaText(f *format.Format, raw []byte) (text []byte, err error) {
	var octets []byte
	mode := f.Options.Binary
	switch {
	case f.Kind != format.JSON && mode == debezium.BinaryHex:
		octets, err = hex.DecodeString(string(raw))
	case f.Kind != format.JSON && mode == debezium.BinaryBase64URLSafe:
		octets, err = base64.URLEncoding.DecodeString(string(raw))
	default:
		octets, err = base64.StdEncoding.DecodeString(string(raw))
	}
	return hex.AppendEncode([]byte(`\x`), octets), err
}

// zonedText is an instant in UTC, without zeros at the end of its fraction.
func zonedText(raw []byte) []byte {
	text, utc := bytes.CutSuffix(raw, []byte("+00"))
	if utc && bytes.Contains(text, []byte(".")) {
		text = bytes.TrimRight(bytes.TrimRight(text, "0"), ".")
	}
	if !utc {
		return raw
	}
	return append(slices.Clone(text), "+00"...)
}

// numericText is an integer in two's complement with as many digits of fraction as the column has.
func numericText(raw []byte, mod int32) ([]byte, error) {
	octets, err := base64.StdEncoding.DecodeString(string(raw))
	if err != nil {
		return nil, err
	}
	n := new(big.Int).SetBytes(octets)
	if len(octets) > 0 && octets[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(octets))))
	}
	scale := max(int((mod-4)&0x7ff^1024)-1024, 0) // 11 bits with a sign
	digits := new(big.Int).Abs(n).String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	text := digits[:len(digits)-scale]
	if scale > 0 {
		text += "." + digits[len(digits)-scale:]
	}
	if n.Sign() < 0 {
		text = "-" + text
	}
	return []byte(text), nil
}

// civilText is a date or time without a zone, from its count of units or as ISO 8601 has it.
func civilText(oid uint32, mode debezium.Time, mod int32, raw []byte) ([]byte, error) {
	if mode == debezium.TimeISOString {
		text := bytes.Replace(raw, []byte("T"), []byte(" "), 1)
		return bytes.TrimSuffix(text, []byte("Z")), nil
	}
	var n int64
	if _, err := fmt.Sscan(string(raw), &n); err != nil {
		return nil, err
	}
	if oid == typeDate {
		return pgtext.AppendDate(nil, n), nil
	}
	millis := mode == debezium.TimeConnect ||
		mod >= 0 && mod <= 3 && (mode == debezium.TimeAdaptive || mode == debezium.TimeAdaptiveTimeMicroseconds && oid == typeTimestamp)
	switch {
	case mode == debezium.TimeNanoseconds:
		n /= 1000
	case millis:
		n *= 1000
	}
	if oid == typeTime {
		return pgtext.AppendTime(nil, n), nil
	}
	const day = 86_400_000_000
	days := n / day
	if n%day < 0 {
		days--
	}
	return bytes.Replace(pgtext.AppendTimestamp(nil, days, n-days*day), []byte("T"), []byte(" "), 1), nil
}
