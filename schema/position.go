package schema

// Position is how far a capture has come: every transaction of the named slot
// whose commit record starts below EndLSN is completely in Kafka, and none at
// or above it is. It is written as the last record of each Kafka transaction
// and is the capture's only memory.
type Position struct {
	SystemID string `json:"system_id"` // IDENTIFY_SYSTEM's systemid, decimal
	Timeline int32  `json:"timeline"`
	Database string `json:"database"`
	Slot     string `json:"slot"`
	EndLSN   LSN    `json:"end_lsn"`
	Version  int64  `json:"version"` // state of the [Clock] after the last event
}
