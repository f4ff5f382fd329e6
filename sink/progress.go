package sink

import (
	"encoding/json"
	"fmt"
	"time"

	"penstock/schema"
)

// Progress is how far a partition has come: everything below Offset is durable
// in every store and its offset committed.
type Progress struct {
	Partition  int32
	Offset     int64
	LSN        schema.LSN // of the last record below Offset
	Version    int64      // of the last record below Offset
	CommitTime int64      // of the last record's transaction, microseconds since the Unix epoch

	// Stores has for each store, by its name, the offset below which everything is
	// durable there; Offset is the lowest of them.
	Stores map[string]int64

	// Rejoins are under way: the offset stays below the first of their changes.
	Rejoins []Rejoin
}

// at is the progress with another offset, between which and the old one no record lies.
func (p *Progress) at(offset int64) Progress {
	moved := *p
	moved.Offset = offset
	return moved
}

// kept is what is committed with an offset, as JSON in the metadata of Kafka's
// commit: so it is kept with the offset, and found by whoever owns the partition next.
type kept struct {
	LSN     schema.LSN       `json:"lsn,omitzero"`
	Version int64            `json:"version,omitzero"`
	Time    time.Time        `json:"time,omitzero"` // microseconds, the source's
	Stores  map[string]int64 `json:"stores"`
	Rejoins []keptRejoin     `json:"rejoins,omitempty"`

	Partitions int `json:"partitions,omitzero"` // of the input topic when the group began
}

// keptRejoin is a [Rejoin] as it is kept.
type keptRejoin struct {
	Join     string `json:"join"`
	Version  int64  `json:"version"`
	Rows     int64  `json:"rows"`
	Bookmark []byte `json:"bookmark"`
}

const (
	maxMetadata = 4096 // how many bytes Kafka takes with an offset, by default
	maxKept     = 64   // rejoins; not even so many fit
)

// encode is the metadata of a commit, of a topic with so many partitions.
func (p *Progress) encode(partitions int) (string, error) {
	k := kept{LSN: p.LSN, Version: p.Version, Stores: p.Stores, Partitions: partitions}
	if p.CommitTime != 0 {
		k.Time = time.UnixMicro(p.CommitTime).UTC()
	}
	for _, j := range p.Rejoins[:min(len(p.Rejoins), maxKept)] {
		k.Rejoins = append(k.Rejoins, keptRejoin{j.Join, j.Version, j.Rows, []byte(j.Bookmark)})
	}
	encoded, err := json.Marshal(k)
	for err == nil && len(encoded) > maxMetadata && len(k.Rejoins) > 0 { // the last ones have not begun, or begin anew
		k.Rejoins = k.Rejoins[:len(k.Rejoins)-1]
		encoded, err = json.Marshal(k)
	}
	if err == nil && len(encoded) > maxMetadata {
		err = fmt.Errorf("%d bytes, %d are taken", len(encoded), maxMetadata)
	}
	if err != nil {
		return "", fmt.Errorf("metadata of an offset: %w", err)
	}
	return string(encoded), nil
}

// decode fills in what was kept with an offset. What is none of ours says nothing:
// an operator may have set the offset.
func (p *Progress) decode(metadata string) {
	var k kept
	if err := json.Unmarshal([]byte(metadata), &k); err != nil {
		return
	}
	p.LSN, p.Version, p.Stores, p.Rejoins = k.LSN, k.Version, k.Stores, nil
	for _, j := range k.Rejoins {
		p.Rejoins = append(p.Rejoins, Rejoin{j.Join, j.Version, j.Rows, string(j.Bookmark)})
	}
	if !k.Time.IsZero() {
		p.CommitTime = k.Time.UnixMicro()
	}
}
