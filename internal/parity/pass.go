package parity

// Content says which tables a pass reads.
type Content string

// The contents, which are the publications too.
const (
	Types        Content = "parity_types"        // the table of all types
	Shapes       Content = "parity_shapes"       // the shapes of change
	Rooted       Content = "parity_rooted"       // those that need a publication by the root of a partitioned table, with generated columns
	Decimals     Content = "parity_decimals"     // those with decimals in other places than a row's value
	Truncates    Content = "parity_truncates"    // those with TRUNCATE
	Deletes      Content = "parity_deletes"      // those with tombstones
	Transactions Content = "parity_transactions" // those about transactions
	Indexed      Content = "parity_indexed"      // a table whose identity is not its key
	Gone         Content = "parity_gone"         // tables that are not published any more when the slot is read
	Quoted       Content = "parity_quoted"       // a table with a quote in its name
	Stops        Content = "parity_stops"        // what stops Debezium's connector unless it is told to leave out what it cannot read
	Unsayable    Content = "parity_unsayable"    // the same, and Penstock refuses it too
	Wide         Content = "parity_wide"         // the table that has as many columns as a table can
)

// Contents are all contents.
func Contents() []Content {
	return []Content{Types, Shapes, Rooted, Decimals, Truncates, Deletes, Transactions, Indexed, Gone, Quoted, Stops, Unsayable, Wide}
}

// Pass is one reading of the slot's content with settings of its own.
type Pass struct {
	Name    string // also the topic prefix and the golden's name
	Content Content
	Schemas bool // records carry their schemas
	Unkept  bool // no golden: too large, or the same as another

	// Settings are the connector's over its defaults. Penstock's have the same names.
	Settings map[string]string
}

// includeUnknown is the setting without which the connector drops columns of types that it does not know.
const includeUnknown = "include.unknown.datatypes"

// heartbeatEvery is the setting that makes heartbeats.
const heartbeatEvery = "heartbeat.interval.ms"

// heartbeatTable is what the topic of heartbeats is called among those of tables.
const heartbeatTable = "heartbeat"

// beats tells whether the pass has heartbeats.
func (p Pass) beats() bool { return p.Settings[heartbeatEvery] != "" }

// messageTable is the table of the topic with logical messages.
const messageTable = "message"

// messages tells whether the pass is about logical messages too.
func (p Pass) messages() bool { return p.Content == Shapes }

// Passes are all passes, in the order in which they run.
func Passes() []Pass {
	type settings = map[string]string
	return []Pass{
		{Name: "types", Content: Types, Schemas: true},
		{Name: "types-plain", Content: Types},
		{Name: "types-decimal-string", Content: Types, Schemas: true, Settings: settings{"decimal.handling.mode": "string"}},
		{Name: "types-decimal-double", Content: Types, Schemas: true, Settings: settings{"decimal.handling.mode": "double"}},
		{Name: "types-time-connect", Content: Types, Schemas: true, Settings: settings{"time.precision.mode": "connect"}},
		{Name: "types-time-microseconds", Content: Types, Schemas: true, Settings: settings{"time.precision.mode": "adaptive_time_microseconds"}},
		{Name: "types-time-isostring", Content: Types, Schemas: true, Settings: settings{"time.precision.mode": "isostring"}},
		{Name: "types-interval-string", Content: Types, Schemas: true, Settings: settings{"interval.handling.mode": "string"}},
		{Name: "types-binary-base64", Content: Types, Schemas: true, Settings: settings{"binary.handling.mode": "base64", "hstore.handling.mode": "map"}},
		{Name: "types-binary-hex", Content: Types, Schemas: true, Settings: settings{"binary.handling.mode": "hex"}},
		{Name: "types-unknown", Content: Types, Schemas: true, Settings: settings{includeUnknown: "true"}},
		{Name: "shapes", Content: Shapes, Schemas: true},
		{Name: "shapes-plain", Content: Shapes, Unkept: true},
		{Name: "shapes-decimal-string", Content: Decimals, Schemas: true, Settings: settings{"decimal.handling.mode": "string"}},
		{Name: "shapes-truncate", Content: Truncates, Settings: settings{"skipped.operations": "none"}},
		{Name: "shapes-transactions", Content: Transactions, Schemas: true, Settings: settings{"provide.transaction.metadata": "true"}},
		{Name: "shapes-no-tombstones", Content: Deletes, Settings: settings{"tombstones.on.delete": "false"}},
		{Name: "heartbeats", Content: Deletes, Schemas: true, Settings: settings{heartbeatEvery: "1"}},
		{Name: "indexed", Content: Indexed},
		{Name: "gone", Content: Gone},
		{Name: "quoted", Content: Quoted},
		{Name: "rooted", Content: Rooted, Schemas: true},
		{Name: "stops", Content: Stops},
		{Name: "unsayable", Content: Unsayable},
		{Name: "wide", Content: Wide, Unkept: true},
	}
}
