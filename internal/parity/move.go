package parity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
)

const (
	moveName  = "parity_move" // the topic prefix, the slot and the publication
	moveTable = "public.parity_moved"
	moveTopic = moveName + "." + moveTable
	// ourHeader is on every record of the daemon.
	ourHeader = "penstock.lsn"
	// moveEach is how many changes each of the two delivers at least.
	moveEach = 3000
)

// Move follows docs/migration.md while a client goes on writing: the connector delivers,
// is stopped, and the daemon goes on from its slot in its topic. The topic is then held against
// the client's own list of what it committed.
func Move(ctx context.Context, r *Rig, binary string) (moved Moved, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("the move was not done within %s", passTimeout))
	defer cancel()
	pass := Pass{Name: moveName, Content: moveName}
	err = r.exec(ctx, "CREATE TABLE "+moveTable+" (id bigint PRIMARY KEY, n bigint NOT NULL)", "CREATE PUBLICATION "+moveName+" FOR TABLE "+moveTable,
		"SELECT pg_create_logical_replication_slot('"+moveName+"', 'pgoutput')")
	if err != nil {
		return moved, err
	}
	w, err := newWriter(ctx, r)
	if err != nil {
		return moved, err
	}
	written := make(chan error, 1)
	go func() { written <- w.run(ctx) }()
	err = r.deliverByConnector(ctx, pass)
	if err == nil {
		err = r.deliverByDaemon(ctx, pass, binary, w, written)
	} else {
		w.enough.Store(true)
		err = errors.Join(err, <-written)
	}
	if err != nil {
		return moved, err
	}
	err = r.scan(ctx, moveTopic, moved.reader(w.history))
	if err == nil {
		err = moved.finish(w.history)
	}
	if _, ok := errors.AsType[*departure](err); ok {
		moved.Problem, err = err.Error(), nil
	}
	return moved, err
}

// departure is where a topic is not what was committed.
type departure struct{ text string }

func (d *departure) Error() string { return d.text }

func departs(format string, args ...any) error { return &departure{fmt.Sprintf(format, args...)} }

// deliverByConnector returns when the connector has ended and its slot is free. What it has written
// down must not be behind the slot: the daemon goes on from there.
func (r *Rig) deliverByConnector(ctx context.Context, p Pass) error {
	config, err := r.connectorConfig(p, moveName)
	if err != nil {
		return err
	}
	if err := r.connect.Create(ctx, moveName, config); err != nil {
		return err
	}
	if err := r.awaitRecords(ctx, moveEach, nil); err != nil {
		return err
	}
	if err := r.connect.Stop(ctx, moveName); err != nil {
		return err
	}
	err = Eventually(ctx, func() (free bool, err error) {
		err = r.db.QueryRow(ctx, "SELECT NOT active FROM pg_replication_slots WHERE slot_name = $1", moveName).Scan(&free)
		return free, err
	})
	if err != nil {
		return err
	}
	if err := r.slotCovered(ctx); err != nil {
		return err
	}
	return r.connect.Delete(ctx, moveName)
}

// slotCovered compares the slot with the connector's last offset, as the page says.
func (r *Rig) slotCovered(ctx context.Context) error {
	offset, err := r.connect.Offset(ctx, moveName)
	if err != nil {
		return err
	}
	lsn, ok := offset["lsn"].(float64)
	if !ok {
		return fmt.Errorf("the connector's offset has no lsn: %v", offset)
	}
	var confirmed string
	if err := r.db.QueryRow(ctx, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", moveName).Scan(&confirmed); err != nil {
		return err
	}
	at, err := schema.ParseLSN(confirmed)
	if err == nil && at > schema.LSN(lsn) {
		err = fmt.Errorf("the slot is at %s, beyond the connector's offset %s", at, schema.LSN(lsn))
	}
	return err
}

// theWord finds what a refusal offers to the operator.
var theWord = regexp.MustCompile(`--accept (gap_detected@[0-9A-F]+/[0-9A-F]+)`)

// deliverByDaemon goes on from the slot, with the word that the first start asks for, until the
// topic has the client's last change.
func (r *Rig) deliverByDaemon(ctx context.Context, p Pass, binary string, w *writer, written <-chan error) error {
	defer func() { w.enough.Store(true) }()
	dir, err := r.writeConfig(ctx, p, moveName)
	if err != nil {
		return err
	}
	if err := startDaemon(ctx, binary, dir, "").wait(); err == nil {
		return errors.New("penstock went on from the connector's slot without a word")
	}
	word := theWord.FindStringSubmatch(logTail(dir))
	if word == nil {
		return fmt.Errorf("penstock does not say how to go on: %s", logTail(dir))
	}
	d := startDaemon(ctx, binary, dir, word[1])
	defer d.stop()
	before, err := r.records(ctx)
	if err != nil {
		return err
	}
	if err := r.awaitRecords(ctx, before+moveEach, d.Alive); err != nil {
		return err
	}
	w.enough.Store(true)
	if err := <-written; err != nil {
		return err
	}
	err = Eventually(ctx, func() (bool, error) {
		if err := d.Alive(); err != nil {
			return false, err
		}
		var last string
		err := r.scan(ctx, moveTopic, func(raw *kgo.Record) (err error) {
			if raw.Value != nil {
				last, err = outline(raw.Value)
			}
			return err
		})
		return last == w.history[len(w.history)-1], err
	})
	return errors.Join(err, d.End())
}

// writer is a client whose commits are known in their order, because they are one after the other.
type writer struct {
	db      *pgx.Conn
	history []string // outlines; run's own until it has returned
	enough  atomic.Bool
}

func newWriter(ctx context.Context, r *Rig) (*writer, error) {
	db, err := pgx.Connect(ctx, r.postgres.DSN())
	return &writer{db: db}, err
}

// run inserts, updates and deletes, one change a commit, until it is told that it is enough.
func (w *writer) run(ctx context.Context) error {
	dice := rand.New(rand.NewPCG(1, 2))
	rows := map[int64]int64{}
	var ids []int64
	for next := int64(1); !w.enough.Load(); {
		var err error
		if len(ids) == 0 || dice.IntN(2) == 0 {
			err = w.commit(ctx, fmt.Sprintf("c %d 0", next), "INSERT INTO "+moveTable+" VALUES ($1, 0)", next)
			ids, rows[next] = append(ids, next), 0
			next++
		} else if at := dice.IntN(len(ids)); dice.IntN(10) > 0 {
			id := ids[at]
			rows[id]++
			err = w.commit(ctx, fmt.Sprintf("u %d %d", id, rows[id]), "UPDATE "+moveTable+" SET n = n + 1 WHERE id = $1", id)
		} else {
			err = w.commit(ctx, fmt.Sprintf("d %d", ids[at]), "DELETE FROM "+moveTable+" WHERE id = $1", ids[at])
			ids[at] = ids[len(ids)-1]
			ids = ids[:len(ids)-1]
		}
		if err != nil {
			return errors.Join(err, w.db.Close(context.WithoutCancel(ctx)))
		}
	}
	return w.db.Close(ctx)
}

func (w *writer) commit(ctx context.Context, what, sql string, id int64) error {
	_, err := w.db.Exec(ctx, sql, id)
	w.history = append(w.history, what)
	return err
}

// outline is a change as the writer notes it down.
func outline(value []byte) (string, error) {
	type row struct{ ID, N int64 }
	var envelope struct {
		Op            string
		Before, After *row
	}
	if err := json.Unmarshal(value, &envelope); err != nil {
		return "", err
	}
	switch {
	case envelope.Op == "d" && envelope.Before != nil:
		return fmt.Sprintf("d %d", envelope.Before.ID), nil
	case envelope.After != nil:
		return fmt.Sprintf("%s %d %d", envelope.Op, envelope.After.ID, envelope.After.N), nil
	}
	return "", fmt.Errorf("a record without a row: %.200s", value)
}

// records counts what the topic has, tombstones too; 0 before it is there.
func (r *Rig) records(ctx context.Context) (n int, err error) {
	err = r.scan(ctx, moveTopic, func(*kgo.Record) error {
		n++
		return nil
	})
	return n, err
}

// awaitRecords returns when the topic has so many; failed, unless nil, is asked meanwhile.
func (r *Rig) awaitRecords(ctx context.Context, want int, failed func() error) error {
	return Eventually(ctx, func() (bool, error) {
		if failed != nil {
			if err := failed(); err != nil {
				return false, err
			}
		}
		n, err := r.records(ctx)
		return n >= want, err
	})
}

// Moved is what a move has brought.
type Moved struct {
	Theirs, Ours int    // changes by the connector, and by the daemon
	Repeated     int    // of Ours, that the connector had delivered already
	Problem      string // where the topic departs from the history; empty for nowhere

	next   int // of the history
	offset int64
}

// reader takes the topic's records in their order and refuses the first that is not the next change.
// Only the daemon's first ones may have been there before.
func (m *Moved) reader(history []string) func(*kgo.Record) error {
	return func(raw *kgo.Record) error {
		if raw.Value == nil {
			return nil // a tombstone says what the delete before it has said
		}
		what, err := outline(raw.Value)
		if err != nil {
			return err
		}
		ours := false
		for _, h := range raw.Headers {
			ours = ours || h.Key == ourHeader
		}
		return m.take(history, raw.Offset, what, ours)
	}
}

func (m *Moved) take(history []string, offset int64, what string, ours bool) error {
	m.offset = offset
	if ours && m.Ours == 0 { // the seam
		for back := range m.next {
			if history[m.next-1-back] == what {
				m.next, m.Repeated = m.next-1-back, back+1
				break
			}
		}
	}
	switch {
	case !ours && m.Ours > 0:
		return departs("offset %d: the connector goes on after the daemon has begun", offset)
	case m.next == len(history):
		return departs("offset %d: %q comes after the last change", offset, what)
	case history[m.next] != what:
		return departs("offset %d: got %q, want %q, change %d of %d", offset, what, history[m.next], m.next, len(history))
	}
	m.next++
	if ours {
		m.Ours++
	} else {
		m.Theirs++
	}
	return nil
}

// finish wants all of the history, of both.
func (m *Moved) finish(history []string) error {
	switch {
	case m.next < len(history):
		return departs("the topic ends at offset %d without %d changes, the first of them %q", m.offset, len(history)-m.next, history[m.next])
	case m.Theirs == 0 || m.Ours == 0:
		return departs("%d changes by the connector and %d by the daemon: nothing was moved", m.Theirs, m.Ours)
	}
	return nil
}

// String is the line of the run's report.
func (m *Moved) String() string {
	verdict := "PASS"
	if m.Problem != "" {
		verdict = "FAIL " + m.Problem
	}
	return fmt.Sprintf("move connector=%d penstock=%d repeated=%d %s", m.Theirs, m.Ours, m.Repeated, verdict)
}
