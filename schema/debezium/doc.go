// Package debezium maps changes to the records of Debezium's Postgres connector,
// 3.6: keys, envelopes, messages, transaction metadata and heartbeats, as values
// of package connect with their schemas. It is pure: which bytes carry them, and
// to which topic, is decided elsewhere.
//
// Read table.go, envelope.go, source.go, key.go, message.go, transaction.go,
// heartbeat.go, naming.go for the records, then options.go and column.go for what
// a type's values become; the families of types have a file each. json.go is the
// short way from a row to the JSON of its values.
//
// # Where the mapping differs, and why
//
// No column is left out, and an unchanged TOASTed value is never NULL. Where the
// connector does otherwise, or gives a wrong value, this package does not follow it:
//
//	column or value                      here                               the connector
//	a type without mapping: composites,  Postgres' text, a string           leaves the column out
//	multiranges, user's ranges, xid,
//	pg_lsn, tsquery, box, path, ...
//	name                                 a string                           always null
//	arrays of those, of domains, name,   the array's text, a string         leaves the column out; of bit,
//	money, bit, varbit, interval, xml,                                      null
//	point
//	several dimensions                   all elements in one list           nulls, or Java object names
//	int2vector, oidvector                their elements                     always an empty list
//	elements of enum, tsvector, isbn,    optional: NULL is an element       the whole array is null if one is
//	ltree and pgvector's types                                              NULL; required but for ltree
//	date, time, timestamp in an array    as alone                           through Java's calendar: loses
//	                                                                        microseconds, shifts old dates
//	NaN, infinities in numeric[]         as alone                           the whole array is null
//	numeric(p,s) with s below 0          scale 0, precision p-s             scale 2048+s, by misreading s
//	interval infinity, -infinity         the largest and smallest int64,    0
//	                                     or the word
//	seconds of an interval as string     exact                              some lose a nanosecond
//	timestamp after 294247-01-10, in     the largest int64                  a wrapped number
//	microseconds
//	money, whatever lc_monetary          read                               fails but for $1,234.56
//	"bit" without length                 octets, as varbit without length   a boolean
//	timetz offset with seconds           read                               fails
//	unchanged numeric, bits, geometry    the placeholder's octets           null
//	unchanged bytea in a base64 mode     the placeholder                    null
//	unchanged numeric as double          NaN                                null
//	unchanged sparsevec                  one without dimensions             null
//	unchanged array of other types       the placeholder once; of numbers,  null
//	                                     its octets; of booleans, a null
//	unchanged domain over an array       as its array                       null
//	default with a quote inside          the constant                       the part before the quote
//	default of a generated column, or    none                               sometimes a part of the
//	an expression that is no call                                           expression
//	a real in JSON                       its shortest digits                more of them with Java before 19
//	NULL in a column with a default      NULL                               the default, by Connect's converter
//
// The test of the records holds this against what the real connector wrote; its
// list of differences, testdata/differences.txt, is exact.
//
// What the connector's modes cannot hold is null here as there: NaN and infinities
// of a numeric in precise mode, a timestamp outside 1677 to 2262 in nanoseconds, an
// empty varbit(1), a sparsevec with more than 32,767 dimensions. In a column that is
// NOT NULL they are errors, where the connector fails while it serializes.
package debezium
