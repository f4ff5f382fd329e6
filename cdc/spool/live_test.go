package spool_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"penstock/cdc/pgoutput"
	"penstock/cdc/spool"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// patience is how long the server may take for anything.
const patience = 30 * time.Second

// reading is a walsender's stream, and what came of it.
type reading struct {
	t     *testing.T
	conn  *pgconn.PgConn
	spool *spool.Spool

	messages [][]byte       // as the spool gives them back
	rows     map[uint32]int // changes that were streamed, by transaction
	aborts   map[uint32]int // subtransactions that were rolled back, by transaction
	blocks   int
	block    uint32 // the transaction whose block is under way
}

// read starts to read a slot.
func read(t *testing.T, dsn, slot string, options ...string) *reading {
	t.Helper()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["replication"] = "database"
	config.RuntimeParams["options"] = "-c logical_decoding_work_mem=64kB"
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	arguments := append([]string{"publication_names 'p'", "messages 'true'"}, options...)
	if err := pglogrepl.StartReplication(t.Context(), conn, slot, 0, pglogrepl.StartReplicationOptions{PluginArgs: arguments}); err != nil {
		t.Fatal(err)
	}
	s, _ := newSpool(t)
	return &reading{t: t, conn: conn, spool: s, rows: map[uint32]int{}, aborts: map[uint32]int{}}
}

// until reads on until done.
func (r *reading) until(what string, done func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	for !done() {
		msg, err := r.conn.ReceiveMessage(ctx)
		if err != nil {
			r.t.Fatalf("%s did not come: %v", what, err)
		}
		switch msg := msg.(type) {
		case *pgproto3.CopyData:
			r.take(ctx, msg.Data)
		case *pgproto3.ErrorResponse:
			r.t.Fatal(pgconn.ErrorResponseToPgError(msg))
		}
	}
}

func (r *reading) take(ctx context.Context, data []byte) {
	r.t.Helper()
	const header = 1 + 8 + 8 + 8
	if data[0] == pglogrepl.PrimaryKeepaliveMessageByteID {
		if err := pglogrepl.SendStandbyStatusUpdate(ctx, r.conn, pglogrepl.StandbyStatusUpdate{}); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	data = data[header:]
	r.count(data)
	got, err := pass(r.spool, data)
	if err != nil {
		r.t.Fatal(err)
	}
	r.messages = append(r.messages, got...)
}

// count looks at what was streamed, in the server's own form.
func (r *reading) count(data []byte) {
	switch pgoutput.Kind(data[0]) {
	case pgoutput.KindStreamStart:
		r.block = binary.BigEndian.Uint32(data[1:])
		r.blocks++
	case pgoutput.KindStreamStop:
		r.block = 0
	case pgoutput.KindStreamAbort:
		r.aborts[binary.BigEndian.Uint32(data[1:])]++
	case pgoutput.KindInsert, pgoutput.KindUpdate, pgoutput.KindDelete:
		if r.block != 0 {
			r.rows[r.block]++
		}
	}
}

// last reports whether a row of the table mark has come.
func (r *reading) last() bool {
	return len(r.messages) > 1 && bytes.Contains(r.messages[len(r.messages)-2], []byte("the end"))
}

// whole is a transaction as a capture understands it.
type whole struct {
	begin   pgoutput.Begin
	commit  pgoutput.Commit
	changes []change
}

// change is a change message with the shapes that its relations have at that point.
type change struct {
	message   string
	relations string
}

// understand pairs begins and commits, and looks up relations, as the assembler
// does. Transactions without a change are left out: a server that does not stream
// leaves them out too. Messages that are of no transaction are returned beside.
func understand(t *testing.T, messages [][]byte) (all []whole, beside []string) {
	t.Helper()
	relations := map[uint32]*schema.Relation{}
	var tx *whole
	for _, data := range messages {
		m, err := pgoutput.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		var oids []uint32
		switch m := m.(type) {
		case *pgoutput.Begin:
			tx = &whole{begin: *m}
			continue
		case *pgoutput.Commit:
			if tx.commit = *m; len(tx.changes) > 0 {
				all = append(all, *tx)
			}
			tx = nil
			continue
		case *pgoutput.Relation:
			relations[m.OID] = m.Relation
			continue
		case *pgoutput.Type:
			continue
		case *pgoutput.Insert:
			oids = []uint32{m.RelationOID}
		case *pgoutput.Update:
			oids = []uint32{m.RelationOID}
		case *pgoutput.Delete:
			oids = []uint32{m.RelationOID}
		case *pgoutput.Truncate:
			oids = m.RelationOIDs
		case *pgoutput.LogicalMessage:
			if !m.Transactional {
				beside = append(beside, string(data))
				continue
			}
		}
		c := change{message: string(data)}
		for _, oid := range oids {
			if relations[oid] == nil {
				t.Fatalf("relation %d was never announced", oid)
			}
			c.relations += fmt.Sprintf("%+v", *relations[oid])
		}
		tx.changes = append(tx.changes, c)
	}
	return all, beside
}

// workload is a database whose log two slots read.
type workload struct {
	t               *testing.T
	one, two, three *pgx.Conn
	streamed        *reading
	flushes         int
}

func open(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// rows inserts enough of them to be streamed.
func rows(from int) string {
	return fmt.Sprintf("INSERT INTO reading SELECT i, repeat('x', 100) FROM generate_series(%d, %d) i;", from, from+999)
}

// seen awaits that so many changes of conn's transaction are streamed. The server
// holds back a few hundred at most.
func (w *workload) seen(conn *pgx.Conn, changes int) {
	w.t.Helper()
	var xid uint32
	if err := conn.QueryRow(w.t.Context(), "SELECT pg_current_xact_id()::xid").Scan(&xid); err != nil {
		w.t.Fatal(err)
	}
	w.small()
	w.streamed.until(fmt.Sprintf("change %d of transaction %d", changes, xid), func() bool { return w.streamed.rows[xid] >= changes })
}

// small commits an unstreamed transaction in between, which also makes the server
// write out its log.
func (w *workload) small() {
	w.t.Helper()
	w.flushes++
	exec(w.t, w.three, fmt.Sprintf("INSERT INTO small VALUES (%d)", w.flushes))
}
