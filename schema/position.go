package schema

// Position is how far a capture has come: every transaction of the named slot
// whose commit record starts below EndLSN is completely in Kafka, and none at
// or above it is, except for the beginning of the one that Open names. It is
// written as the last record of each Kafka transaction and is, but for the columns of
// its tables, all that the capture remembers. Positions of one capture only move forward, by EndLSN and within a
// commit by Open.N.
type Position struct {
	SystemID string     `json:"system_id"` // IDENTIFY_SYSTEM's systemid, decimal
	Timeline int32      `json:"timeline"`
	Database string     `json:"database"`
	Slot     string     `json:"slot"`
	EndLSN   LSN        `json:"end_lsn"`
	Open     OpenCommit `json:"open,omitzero"`
	Version  int64      `json:"version"` // state of the [Clock] after the last event
}

// OpenCommit is a commit too large for one Kafka transaction, of which the first
// N change messages are in Kafka. The zero value is none.
type OpenCommit struct {
	FinalLSN LSN    `json:"final_lsn"` // start of its commit record
	XID      uint32 `json:"xid"`
	N        uint64 `json:"n"`    // counted as they come from the slot, before anything is made of them
	Hash     string `json:"hash"` // XXH64 of these messages' bytes back to back, hexadecimal
}

// IsZero reports whether no commit is open.
func (o OpenCommit) IsZero() bool { return o == OpenCommit{} }
