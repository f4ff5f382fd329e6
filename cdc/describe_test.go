package cdc

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/cdc/catalog"
	"penstock/schema"
)

// The messages of pgoutput's protocol, version 1, that a transaction of one insert has.
func beginMessage(final uint64, xid uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{'B'}, final), 0), xid)
}

func relationMessage(oid uint32) []byte {
	m := append(binary.BigEndian.AppendUint32([]byte{'R'}, oid), "public\x00t\x00d\x00\x01\x01id\x00"...)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(m, 25), ^uint32(0))
}

func insertMessage(oid uint32) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{'I'}, oid), "N\x00\x01t\x00\x00\x00\x01a"...)
}

func commitMessage(final, end uint64) []byte {
	m := binary.BigEndian.AppendUint64([]byte{'C', 0}, final)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(m, end), 0)
}

// TestOnlyDeliveredRelationsAreDescribed: the catalogue is not asked about what the
// server only sends again, or announces without a change.
func TestOnlyDeliveredRelationsAreDescribed(t *testing.T) {
	asked := 0
	errAsked := errors.New("asked")
	s := newSession(&Config{Wait: time.Minute}, nil, nil, nil, schema.Position{EndLSN: 0x200}, zap.NewNop())
	s.catalog = catalog.New(func(context.Context) (*pgx.Conn, error) {
		asked++
		return nil, errAsked
	})
	send := func(messages ...[]byte) error {
		t.Helper()
		for _, m := range messages {
			if err := s.message(t.Context(), m); err != nil {
				return err
			}
		}
		return nil
	}
	if err := send(beginMessage(0x100, 1), relationMessage(5), insertMessage(5), commitMessage(0x100, 0x110)); err != nil {
		t.Fatalf("a transaction that Kafka has: %v", err)
	}
	if err := send(beginMessage(0x300, 2), relationMessage(5), relationMessage(6)); err != nil || asked != 0 {
		t.Fatalf("announced, without a change: asked %d times, %v; want not at all", asked, err)
	}
	if err := send(insertMessage(6)); !errors.Is(err, errAsked) || asked != 1 {
		t.Fatalf("the first change: asked %d times, %v; want once", asked, err)
	}
}
