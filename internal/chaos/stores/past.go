package stores

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Alien is a header on records that the harness itself puts into the input topic.
const Alien = "chaos.alien"

// Past is what the input topic says happened, from its records alone: which versions
// each event and each content had. Take must see every partition in its order.
type Past struct {
	Changes int64           // changes of rows; one that has two records counts once
	Ends    map[int32]int64 // behind the last record of each partition
	Aliens  int64           // records of the harness's own

	pipeline *Pipeline
	lives    [2]map[string]*life // by side and id
	newest   map[int32]int64     // version, by partition
	seen     map[change]bool
	disorder []string
}

// life is one row's.
type life struct {
	versions []int64 // as they came; those of one row come from several partitions
	last     int64   // the highest
	gone     bool    // by the last one
}

// change is a change of a row by its commit and its place in that.
type change struct {
	lsn string
	seq uint64
}

// NewPast knows nothing yet of the pipeline's topic.
func NewPast(p *Pipeline) *Past {
	return &Past{
		Ends: map[int32]int64{}, pipeline: p, lives: [2]map[string]*life{{}, {}}, newest: map[int32]int64{}, seen: map[change]bool{},
	}
}

// envelope is what is read of a record's value.
type envelope struct {
	Op     string
	Before map[string]json.RawMessage
	After  map[string]json.RawMessage
	Source struct{ Schema, Table string }
}

// Take notes the next record of its partition.
func (p *Past) Take(r *kgo.Record) error {
	p.Ends[r.Partition] = r.Offset + 1
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	if _, alien := headers[Alien]; alien {
		p.Aliens++
		return nil
	}
	version, err := strconv.ParseInt(headers["penstock.version"], 10, 64)
	seq, seqErr := strconv.ParseUint(headers["penstock.seq"], 10, 64)
	var e envelope
	if err := errors.Join(err, seqErr, json.Unmarshal(r.Value, &e)); err != nil {
		return fmt.Errorf("a record that is none of the capture's: %w", err)
	}
	if c := (change{headers["penstock.lsn"], seq}); !p.seen[c] {
		p.seen[c] = true
		p.Changes++
	}
	if version <= p.newest[r.Partition] {
		p.disorder = append(p.disorder, fmt.Sprintf("partition %d, offset %d: version %d after %d", r.Partition, r.Offset, version, p.newest[r.Partition]))
	}
	p.newest[r.Partition] = version
	return p.note(&e, version)
}

func (p *Past) note(e *envelope, version int64) error {
	of, known := p.pipeline.sources[e.Source.Table]
	if !known {
		return fmt.Errorf("a record of table %s.%s", e.Source.Schema, e.Source.Table)
	}
	row := e.After
	if row == nil {
		row = e.Before
	}
	id, err := idOf(row, p.pipeline.keys[of])
	if err != nil {
		return fmt.Errorf("a record of %s (op %q): %w", e.Source.Table, e.Op, err)
	}
	lives := p.lives[of]
	l := lives[id]
	if l == nil {
		l = &life{}
		lives[id] = l
	}
	l.versions = append(l.versions, version)
	if version > l.last {
		l.last, l.gone = version, e.Op == "d"
	}
	return nil
}

// idOf is the row's key as it stands behind the prefix of a hash: where it has several
// columns, colons and percent signs in them are escaped.
func idOf(row map[string]json.RawMessage, key []string) (string, error) {
	var parts []string
	for _, column := range key {
		text := string(row[column])
		if text == "" {
			return "", fmt.Errorf("it has no %s", column)
		}
		if text[0] == '"' {
			if err := json.Unmarshal(row[column], &text); err != nil {
				return "", err
			}
		}
		if len(key) > 1 {
			text = escaped(text)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ":"), nil
}

func escaped(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "%", "%25"), ":", "%3A")
}

// gave reports whether a record of the row had the version.
func (l *life) gave(version int64) bool {
	return l != nil && slices.Contains(l.versions, version)
}
