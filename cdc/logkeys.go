package cdc

// The keys of the capture's log fields.
const (
	keySlot        = "slot"
	keyPublication = "publication"
	keyLSN         = "lsn"
	keyRecords     = "records"
	keyOpen        = "open"        // how long a Kafka transaction was
	keyLimit       = "gives_up_in" // unless what is waited for comes
)
