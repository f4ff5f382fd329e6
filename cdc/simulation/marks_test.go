package simulation_test

import (
	"encoding/json"
	"fmt"

	"penstock/schema"
)

// mark is what the topic of transactions says of a commit.
type mark struct {
	begins, ends int
	events       int // as the end counts them
}

// marked reports commits in several Kafka transactions that are not announced
// once, with what they hold, and announcements of commits that are small.
func (l *ledger) marked() {
	marks, err := l.world.marks()
	if err != nil {
		l.world.problem("read topic %s: %v", transactionTopic, err)
		return
	}
	parted := map[schema.LSN]bool{}
	for _, commits := range l.parts {
		for lsn, transactions := range commits {
			parted[lsn] = parted[lsn] || len(transactions) > 1
		}
	}
	sizes := l.sizes()
	for _, e := range l.world.wal.commits() {
		id := fmt.Sprintf("%d:%d", e.commit.xid, uint64(e.start))
		m := marks[id]
		delete(marks, id)
		switch {
		case m == mark{} && !parted[e.start]:
		case m != mark{begins: 1, ends: 1, events: len(e.commit.changes)}:
			l.world.problem("marks: commit %s with %d changes is announced by %+v", e.start, len(e.commit.changes), m)
		case sizes[e.start] <= splitRecords:
			l.world.problem("marks: commit %s has marks, and %d records", e.start, sizes[e.start])
		}
	}
	for id, m := range marks {
		l.world.problem("marks: of nothing, %s: %+v", id, m)
	}
}

// marks reads the topic of transactions, by the commits' ids.
func (w *world) marks() (map[string]mark, error) {
	read, err := w.kafka.readAll(w.ctx, transactionTopic)
	if err != nil {
		return nil, err
	}
	marks := map[string]mark{}
	for _, r := range read[0] {
		if r.Attrs.IsControl() {
			continue
		}
		var value struct {
			Status     string `json:"status"`
			ID         string `json:"id"`
			EventCount int    `json:"event_count"`
		}
		if err := json.Unmarshal(r.Value, &value); err != nil {
			return nil, fmt.Errorf("value %s: %w", r.Value, err)
		}
		m := marks[value.ID]
		switch value.Status {
		case "BEGIN":
			m.begins++
		case "END":
			m.ends++
			m.events = value.EventCount
		default:
			return nil, fmt.Errorf("status %q", value.Status)
		}
		marks[value.ID] = m
	}
	return marks, nil
}
