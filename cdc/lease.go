package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"go.uber.org/zap"

	"penstock/internal/fault"
)

const (
	leasePoll = 250 * time.Millisecond // between two looks of a standby at the slot
	evictPoll = 10 * time.Millisecond  // between two tries for a slot whose holder has been ended
	evictWait = 5 * time.Second        // for a holder that has been told to end
)

// lease is the slot, taken: the stream that holds it, the walsender behind it,
// and the server as it says it is.
type lease struct {
	stream *Stream
	server identity
	sender walsender
}

// walsender is a server process that streams. Postgres uses process ids again;
// the time of its start makes it one of a kind.
type walsender struct {
	pid     int32
	started string // backend_start as the server writes it; empty when it may not be seen
}

// errSlotTaken says that somebody else holds the slot, and may go on doing so.
var errSlotTaken = errors.New("the slot is in use")

// lease looks and takes the slot, in turns, until it has it: while somebody else
// holds it nothing is fenced, and what was looked at may change. stoodBy says that
// this took a while in which all was well.
func (c *Capture) lease(ctx context.Context) (ready preparation, l *lease, stoodBy bool, err error) {
	begun := time.Now()
	for {
		if ready, err = c.prepare(ctx); err != nil {
			return ready, nil, stoodBy, err
		}
		l, err = c.take(ctx)
		if !errors.Is(err, errSlotTaken) {
			return ready, l, stoodBy, err
		}
		c.cfg.meter.enter(StandingBy)
		err = c.standBy(ctx, begun)
		stoodBy = stoodBy || time.Since(begun) > statusInterval
		if err != nil {
			return ready, nil, stoodBy, err
		}
	}
}

// take starts to stream from the slot. Postgres lets one connection do that, so
// until the stream ends nobody else gets past this step. The error is
// errSlotTaken when somebody does it already and may go on.
func (c *Capture) take(ctx context.Context) (*lease, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	conn, err := c.cfg.connectReplication(ctx)
	if err != nil {
		return nil, err
	}
	l, err := c.takeOn(ctx, conn)
	if err != nil {
		_ = conn.Close(context.WithoutCancel(ctx)) // it is of no use any more
		return nil, err
	}
	return l, nil
}

func (c *Capture) takeOn(ctx context.Context, conn *pgconn.PgConn) (*lease, error) {
	server, err := identify(ctx, conn)
	if err != nil {
		return nil, err
	}
	self, err := itself(ctx, conn)
	if err != nil {
		return nil, err
	}
	var evicting time.Time // since when; zero while nobody has been told to end
	for {
		// An answer that is lost leaves it open who of ours has the slot.
		c.senders = append(c.senders, self)
		stream, err := startStream(ctx, conn, &c.cfg)
		if err == nil {
			c.senders, c.held, c.takeover = []walsender{self}, true, false
			return &lease{stream, server, self}, nil
		}
		if answered(err) {
			c.senders = c.senders[:len(c.senders)-1]
		}
		if !isState(err, objectInUse) {
			return nil, c.streamFault(ctx, err)
		}
		if err := awaitReady(ctx, conn); err != nil {
			return nil, err
		}
		freed, err := c.evict(ctx, conn)
		if err != nil {
			return nil, err
		}
		if freed && evicting.IsZero() {
			evicting = time.Now()
		}
		if evicting.IsZero() || time.Since(evicting) > evictWait {
			return nil, errSlotTaken
		}
		if err := sleep(ctx, evictPoll); err != nil {
			return nil, err
		}
	}
}

// slotHolder is who streams from the slot, or does something else with it.
type slotHolder struct {
	walsender
	streams     bool // as a walsender: a query on a slot takes it too, for a moment
	application string
	client      string // address and port; empty when it may not be seen
}

func (h *slotHolder) fields() []zap.Field {
	return []zap.Field{zap.Int32(keyPID, h.pid), zap.String(keyApplication, h.application), zap.String(keyClient, h.client)}
}

func (h *slotHolder) String() string {
	if h.client == "" {
		return fmt.Sprintf("pid %d (%s)", h.pid, h.application)
	}
	return fmt.Sprintf("pid %d (%s at %s)", h.pid, h.application, h.client)
}

// evict looks at who holds the slot and decides what becomes of that. freed says
// that the slot is free, or its holder was told to end.
//
// A walsender of this very capture whose connection is dead for us and not yet
// for the server is ended: it is nobody's. One of somebody else's is, after this
// capture has held the slot, the daemon that took its place, which ends this one;
// and before that the holder to wait for, unless the operator has said otherwise.
func (c *Capture) evict(ctx context.Context, conn *pgconn.PgConn) (freed bool, err error) {
	h, held, err := c.holder(ctx, conn)
	switch {
	case err != nil || !held:
		return !held, err
	case c.isOwn(h):
		c.log.Warn("ending a walsender of this daemon that the server still takes for alive", h.fields()...)
	case c.held && h.streams:
		return false, c.replaced(h)
	case c.takeover:
		c.log.Warn("taking the slot over: ending its walsender", h.fields()...)
		c.takeover = false // once
	default:
		return false, nil
	}
	return true, c.end(ctx, conn, h)
}

func (c *Capture) isOwn(h *slotHolder) bool {
	for _, own := range c.senders {
		if own == h.walsender && own.started != "" {
			return true
		}
	}
	return false
}

func (c *Capture) replaced(h *slotHolder) error {
	return &fault.Error{
		Kind: fault.Refused, Where: "source.slot " + c.cfg.Slot, What: "another daemon has taken over, " + h.String(),
		Why: "it reads from the slot that this one held",
		Fix: "let that one go on; started again, this one stands by",
	}
}

// end terminates the process that was seen to hold the slot, if it still does.
func (c *Capture) end(ctx context.Context, conn *pgconn.PgConn, h *slotHolder) error {
	query := fmt.Sprintf(`SELECT pg_terminate_backend(s.active_pid) FROM pg_replication_slots s
		LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
		WHERE s.slot_name = %s AND s.active_pid = %d AND coalesce(a.backend_start::text, '') = %s`,
		quoteLiteral(c.cfg.Slot), h.pid, quoteLiteral(h.started))
	_, _, err := queryRow(ctx, conn, query)
	if isState(err, insufficientPrivilege) {
		return &fault.Error{
			Kind: fault.Usage, Where: "source.slot " + c.cfg.Slot, What: "the role may not end the slot's walsender, " + h.String(),
			Err: err, Fix: fmt.Sprintf("GRANT pg_signal_backend TO <role>; or, as a superuser: SELECT pg_terminate_backend(%d);", h.pid),
		}
	}
	if err != nil {
		return postgresFault("end a walsender", err)
	}
	return nil
}

// standBy waits until the slot is free, without fencing anybody: for as long as
// it takes, or, with Config.NoStandby, until Config.Wait has passed since begun.
// It asks on an ordinary connection, to leave the server's walsenders to those
// who stream.
func (c *Capture) standBy(ctx context.Context, begun time.Time) error {
	return c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		for said := false; ; said = true {
			h, held, err := c.holder(ctx, db.PgConn())
			if err != nil || !held {
				return err
			}
			if c.cfg.NoStandby && time.Since(begun) > c.cfg.Wait {
				return &fault.Error{
					Kind: fault.Refused, Where: "source.slot " + c.cfg.Slot, What: "the slot is in use by " + h.String(),
					Why: "only one daemon may read it", Fix: "stop the other daemon; penstock slot list shows its process id",
				}
			}
			if !said {
				c.log.Info("standing by: another daemon holds the slot", append(h.fields(), zap.String(keySlot, c.cfg.Slot))...)
			}
			if err := sleep(ctx, leasePoll); err != nil {
				return err
			}
		}
	})
}

// holder asks who holds the slot, and whether anybody does.
func (c *Capture) holder(ctx context.Context, conn *pgconn.PgConn) (*slotHolder, bool, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	row, found, err := queryRow(ctx, conn, `SELECT s.active_pid, coalesce(a.backend_start::text, ''), r.pid IS NOT NULL,
			coalesce(a.application_name, ''), coalesce(host(a.client_addr) || ':' || a.client_port, '')
		FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
		LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid
		WHERE s.slot_name = `+quoteLiteral(c.cfg.Slot)+" AND s.active_pid IS NOT NULL")
	if err != nil {
		return nil, false, postgresFault("say who holds slot "+c.cfg.Slot, err)
	}
	if !found {
		return nil, false, nil
	}
	h := &slotHolder{walsender: walsender{started: row[1]}, streams: row[2] == "t", application: row[3], client: row[4]}
	if _, err := fmt.Sscan(row[0], &h.pid); err != nil {
		return nil, false, fmt.Errorf("active_pid of slot %s: %w", c.cfg.Slot, err)
	}
	return h, true, nil
}

// itself asks a connection which server process is behind it.
func itself(ctx context.Context, conn *pgconn.PgConn) (walsender, error) {
	self := walsender{pid: int32(conn.PID())}
	row, found, err := queryRow(ctx, conn, "SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()")
	if err != nil {
		return self, postgresFault("say when a connection began", err)
	}
	if found {
		self.started = row[0]
	}
	return self, nil
}

// queryRow returns the first row of a query in the simple protocol, which is all
// that a replication connection speaks. A NULL is an empty text.
func queryRow(ctx context.Context, conn *pgconn.PgConn, sql string) (row []string, found bool, err error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 || len(results[0].Rows) == 0 {
		return nil, false, err
	}
	for _, value := range results[0].Rows[0] {
		row = append(row, string(value))
	}
	return row, true, nil
}

// awaitReady reads on, after a refused START_REPLICATION, to where the server
// takes the next command.
func awaitReady(ctx context.Context, conn *pgconn.PgConn) error {
	for {
		msg, err := conn.ReceiveMessage(ctx)
		if err != nil {
			return postgresFault("take the next command", err)
		}
		if _, ready := msg.(*pgproto3.ReadyForQuery); ready {
			return nil
		}
	}
}

// answered reports whether the server has refused, and not the connection failed.
func answered(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.SeverityUnlocalized != "FATAL"
}
