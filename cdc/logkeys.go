package cdc

// The keys of the capture's log fields.
const (
	keySlot        = "slot"
	keyPublication = "publication"
	keyLSN         = "lsn"
	keyRecords     = "records"
	keyOpen        = "open"        // how long a Kafka transaction was
	keyPID         = "pid"         // of a server process
	keyApplication = "application" // its application_name
	keyClient      = "client"      // address and port of who is connected to it
	keyState       = "state"       // that the operator has accepted
	keyFrom        = "from"        // begin and end of what is given up
	keyTo          = "to"
	keyTopic       = "topic"
	keyTable       = "table"
	keyColumns     = "columns"     // of a table, with their types
	keyPartition   = "partition"   // of a table
	keyLimit       = "gives_up_in" // unless what is waited for comes
)
