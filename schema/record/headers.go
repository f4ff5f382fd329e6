package record

import (
	"fmt"
	"strconv"

	"penstock/schema"
)

// The headers of every data record.
const (
	HeaderLSN     = "penstock.lsn"     // the transaction's commit LSN, as 16/B374D848
	HeaderSeq     = "penstock.seq"     // ordinal of the change within its transaction, decimal
	HeaderXID     = "penstock.xid"     // the transaction's id, decimal
	HeaderVersion = "penstock.version" // the change's version, decimal; see [schema.Clock]
)

// Debezium's headers on the two halves of an update that changed the key.
const (
	HeaderNewKey = "__debezium.newkey" // on the delete: the key the row has now
	HeaderOldKey = "__debezium.oldkey" // on the create: the key the row had
)

// What a record may lack of the row.
const (
	HeaderNulls     = "penstock.nulls"     // columns whose NULL the value shows as an empty array or map, as a JSON array
	HeaderOctets    = "penstock.octets"    // columns whose text is no UTF-8, as a JSON object of name to all its octets in base64, null if they are many
	HeaderUnchanged = "penstock.unchanged" // columns the log left out, as a JSON array: TOASTed and not touched
	HeaderTruncated = "penstock.truncated" // columns cut to fit, as a JSON object of name to length in bytes before
	HeaderOp        = "penstock.op"        // the operation's letter, where the value does not say it
)

// Coordinates are a record's place in the source, as its headers carry it.
type Coordinates struct {
	LSN     schema.LSN
	Seq     uint64
	XID     uint32
	Version int64
}

// ParseCoordinates reads the four headers through header, which returns the
// value of the named one. A missing or malformed header is an error that names it.
func ParseCoordinates(header func(key string) ([]byte, bool)) (Coordinates, error) {
	var c Coordinates
	for _, field := range []struct {
		key   string
		parse func(string) error
	}{
		{HeaderLSN, func(s string) (err error) { c.LSN, err = schema.ParseLSN(s); return err }},
		{HeaderSeq, func(s string) (err error) { c.Seq, err = strconv.ParseUint(s, 10, 64); return err }},
		{HeaderXID, func(s string) error {
			xid, err := strconv.ParseUint(s, 10, 32)
			c.XID = uint32(xid)
			return err
		}},
		{HeaderVersion, func(s string) (err error) { c.Version, err = strconv.ParseInt(s, 10, 64); return err }},
	} {
		value, found := header(field.key)
		if !found {
			return Coordinates{}, fmt.Errorf("header %s is missing", field.key)
		}
		if err := field.parse(string(value)); err != nil {
			return Coordinates{}, fmt.Errorf("header %s: %w", field.key, err)
		}
	}
	return c, nil
}
