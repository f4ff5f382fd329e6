package proxy_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"penstock/internal/chaos/proxy"
	"penstock/internal/stack/stacktest"
)

// receive returns the next message. It shows signs of life meanwhile, as every reader of a slot does: a walsender that missed
// the flush of a commit looks again when it hears something.
func receive(ctx context.Context, conn *pgconn.PgConn) (pgproto3.BackendMessage, error) {
	for {
		soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		msg, err := conn.ReceiveMessage(soon)
		cancel()
		if err == nil || !pgconn.Timeout(err) || ctx.Err() != nil {
			return msg, err
		}
		if err := pglogrepl.SendStandbyStatusUpdate(ctx, conn, pglogrepl.StandbyStatusUpdate{}); err != nil {
			return nil, err
		}
	}
}

// commits reads the timestamps of Begin and Commit until want have come; the last end of a commit is the LSN after them.
func commits(t *testing.T, conn *pgconn.PgConn, want int) (stamps []time.Time, end pglogrepl.LSN) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stamp := func(b []byte) time.Time {
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(binary.BigEndian.Uint64(b)) * time.Microsecond)
	}
	for len(stamps) < want {
		msg, err := receive(ctx, conn)
		if err != nil {
			t.Fatalf("%d of %d messages of commits came: %v", len(stamps), want, err)
		}
		data, ok := msg.(*pgproto3.CopyData)
		if !ok || data.Data[0] != pglogrepl.XLogDataByteID {
			continue
		}
		switch payload := data.Data[25:]; payload[0] {
		case 'B':
			stamps = append(stamps, stamp(payload[9:]))
		case 'C':
			stamps = append(stamps, stamp(payload[18:]))
			end = pglogrepl.LSN(binary.BigEndian.Uint64(payload[10:]))
		}
	}
	return stamps, end
}

// TestWalsender holds what is known of the stream against a real one.
func TestWalsender(t *testing.T) {
	dsn := stacktest.Database(t)
	ctx := t.Context()
	db, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(context.Background()) })
	run := func(sql string) {
		t.Helper()
		if _, err := db.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TABLE a (i int PRIMARY KEY)")
	run("CREATE PUBLICATION p FOR TABLE a")

	cfg, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	if network != "tcp" {
		t.Fatalf("the server is at %s %s, which no TCP proxy can stand before", network, address)
	}
	p := listen(t, proxy.Options{Protocol: proxy.Postgres, Target: address})
	cfg.RuntimeParams["replication"] = "database"
	cfg.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, p.Addr())
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	name := fmt.Sprintf("proxied_%d", conn.PID()) // a name is the whole server's
	slot := pglogrepl.CreateReplicationSlotOptions{Temporary: true}
	if _, err := pglogrepl.CreateReplicationSlot(ctx, conn, name, "pgoutput", slot); err != nil {
		t.Fatal(err)
	}
	args := []string{"proto_version '1'", "publication_names 'p'"}
	if err := pglogrepl.StartReplication(ctx, conn, name, 0, pglogrepl.StartReplicationOptions{PluginArgs: args}); err != nil {
		t.Fatal(err)
	}

	var end pglogrepl.LSN
	for i, clock := range []time.Duration{0, time.Hour, -time.Hour} {
		p.SetReplication(proxy.Replication{Clock: clock})
		if _, err := db.Exec(ctx, "INSERT INTO a VALUES ($1)", i); err != nil {
			t.Fatal(err)
		}
		var stamps []time.Time
		stamps, end = commits(t, conn, 2)
		for _, stamp := range stamps {
			if off := time.Until(stamp) - clock; off.Abs() > time.Minute {
				t.Errorf("a commit just now has the timestamp %s with the clock shifted by %s", stamp, clock)
			}
		}
	}
	if err := pglogrepl.SendStandbyStatusUpdate(ctx, conn, pglogrepl.StandbyStatusUpdate{WALWritePosition: end}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server to take the confirmation", func() bool {
		var confirmed bool
		err := db.QueryRow(ctx, "SELECT confirmed_flush_lsn = $1::text::pg_lsn FROM pg_replication_slots WHERE slot_name = $2",
			end.String(), name).Scan(&confirmed)
		return err == nil && confirmed
	})
	if s := p.Stats(); s.Flushed != uint64(end) || s.Confirming != 1 || s.Shifted != 4 {
		t.Errorf("%d updates confirm up to %s, %d timestamps shifted; want 1 up to %s, and 4", s.Confirming, pglogrepl.LSN(s.Flushed), s.Shifted, end)
	}
}
