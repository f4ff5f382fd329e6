package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/debezium"
)

// Records says what the records of the tables' own topics look like. A pipeline's
// input topic has every column and every change, whatever stands here.
type Records struct {
	RecordStyle `yaml:",inline"` // of every table

	// Tables is what is different for single tables. What an entry leaves open is
	// as above.
	Tables map[TableKey]TableRecords `yaml:"tables"`
}

// RecordStyle is what one table's records look like. The keys with dots, their
// values and defaults are those of Debezium's connector.
type RecordStyle struct {
	Format      string `yaml:"format"`      // one of [RecordFormats]
	Schemas     bool   `yaml:"schemas"`     // debezium: each record carries its schema
	CloudEvents string `yaml:"cloudevents"` // none, binary or structured: whether records are CloudEvents

	Decimal  string `yaml:"decimal.handling.mode"`
	Time     string `yaml:"time.precision.mode"`
	Interval string `yaml:"interval.handling.mode"`
	Binary   string `yaml:"binary.handling.mode"`
	HStore   string `yaml:"hstore.handling.mode"`

	// Unavailable stands for a value that the log does not hold: an unchanged
	// TOASTed one. It is a text, or octets in hexadecimal after hex:.
	Unavailable string `yaml:"unavailable.value.placeholder"`

	Tombstones   bool     `yaml:"tombstones.on.delete"`         // a record without a value follows a delete
	Skipped      []string `yaml:"skipped.operations"`           // some of c, u, d and t; none is the empty list too
	Transactions bool     `yaml:"provide.transaction.metadata"` // the envelope's transaction block is filled

	SchemaChange string `yaml:"schema_change"` // evolve, or stop: when the table's columns are others than before
	Oversized    string `yaml:"oversized"`     // stop, truncate-with-marker or dead-letter: a record larger than its topic takes
}

// TableRecords is what one table's records look like, and which of its columns
// they hold. Columns are named as in the catalogue, unquoted and in their case.
type TableRecords struct {
	RecordStyle `yaml:",inline"`

	Key []string `yaml:"key,omitempty"` // columns of the record's key, in their order; empty is the primary key

	// Partition are the columns that choose the record's partition; empty is the key.
	Partition []string `yaml:"partition,omitempty"`

	// Include lists the columns to keep, empty is all; Exclude then takes away. An
	// entry is a name or a pattern, in which * is any text and ? any one character.
	Include []string `yaml:"include,omitempty"`
	Exclude []string `yaml:"exclude,omitempty"`

	// Mask replaces the values of a column, or of those that a pattern matches, by their HMAC-SHA-256 with this salt:
	// equal values stay equal, and the column becomes text.
	Mask map[string]Secret `yaml:"mask"`

	// Truncate cuts the values of a text column to so many characters.
	Truncate map[string]int `yaml:"truncate"`
}

// TableKey is a table's name as [FormatTable] writes it, so that it can be a key.
type TableKey string

// The content modes of CloudEvents, and none.
const (
	EventsNone       = "none"
	EventsBinary     = "binary"
	EventsStructured = "structured"
)

// What becomes of records when a table's columns change.
const (
	SchemaEvolve = "evolve"
	SchemaStop   = "stop"
)

// What becomes of a record that is larger than its topic takes.
const (
	OversizedStop       = "stop"
	OversizedTruncate   = "truncate-with-marker"
	OversizedDeadLetter = "dead-letter"
)

// RecordFormats lists the formats of records, the default first.
func RecordFormats() []string { return []string{"debezium", FormatText, "json", "avro", "protobuf"} }

// FormatText is the format that has no structured CloudEvents.
const FormatText = "text"

func defaultRecords() Records {
	var o debezium.Options // its zero is the connector's defaults
	return Records{RecordStyle: RecordStyle{
		Format: RecordFormats()[0], CloudEvents: EventsNone,
		Decimal: o.Decimal.String(), Time: o.Time.String(), Interval: o.Interval.String(),
		Binary: o.Binary.String(), HStore: o.HStore.String(), Unavailable: "__debezium_unavailable_value",
		Tombstones: true, SchemaChange: SchemaEvolve, Oversized: OversizedStop,
	}}
}

// RecordsOf is what the records of a table look like, with what its entry leaves
// open taken from the section.
func (c *Config) RecordsOf(table schema.TableName) TableRecords {
	if own, ok := c.Records.Tables[TableKey(FormatTable(table))]; ok {
		return own
	}
	return TableRecords{RecordStyle: c.Records.RecordStyle}
}

// Options are the modes as the formats take them. The error names each value that
// is not a mode.
func (s *RecordStyle) Options() (debezium.Options, error) {
	var problems []error
	o := s.options(func(_ string, err error) { problems = append(problems, err) })
	return o, errors.Join(problems...)
}

// options reads the modes and tells bad of each key whose value is none.
func (s *RecordStyle) options(bad func(key string, err error)) debezium.Options {
	o := debezium.Options{
		Decimal:     mode("decimal.handling.mode", s.Decimal, debezium.ParseDecimal, bad),
		Time:        mode("time.precision.mode", s.Time, debezium.ParseTime, bad),
		Interval:    mode("interval.handling.mode", s.Interval, debezium.ParseInterval, bad),
		Binary:      mode("binary.handling.mode", s.Binary, debezium.ParseBinary, bad),
		HStore:      mode("hstore.handling.mode", s.HStore, debezium.ParseHStore, bad),
		Unavailable: s.Unavailable,
	}
	if err := o.Validate(); err != nil {
		bad("unavailable.value.placeholder", err)
	}
	return o
}

func mode[M any](key, name string, parse func(string) (M, error), bad func(key string, err error)) M {
	m, err := parse(name)
	if err != nil {
		bad(key, err)
	}
	return m
}

// derive gives each table what its entry leaves open.
func (r *Records) derive(given map[string]bool) {
	r.skipNone()
	section := reflect.ValueOf(&r.RecordStyle).Elem()
	for table, own := range r.Tables {
		entry := reflect.ValueOf(&own.RecordStyle).Elem()
		for field, value := range section.Fields() {
			if !given[join(recordsPath(table), keyOf(field))] {
				entry.FieldByIndex(field.Index).Set(value)
			}
		}
		own.skipNone()
		r.Tables[table] = own
	}
}

// skipNone takes the connector's word none for the empty list that it means.
func (s *RecordStyle) skipNone() {
	if len(s.Skipped) == 1 && strings.EqualFold(s.Skipped[0], "none") {
		s.Skipped = []string{}
	}
}

// Skips reports whether no record is made of an operation.
func (s *RecordStyle) Skips(op schema.Op) bool { return slices.Contains(s.Skipped, string(rune(op))) }

// Place names the key of a table's entry, such as exclude[0], with the place where it
// was given.
func (c *Config) Place(table schema.TableName, key string) string {
	path := join(recordsPath(TableKey(FormatTable(table))), key)
	return newProblem(path, c.at(path), fault.Error{}).Fault.Where
}

// recordsPath is the path of a table's entry.
func recordsPath(table TableKey) string { return join("records.tables", string(table)) }
