package cdc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"penstock/schema"
)

const (
	batchBytes     = 256 << 10        // a batch is handed over once it holds this much
	batchQueue     = 16               // batches read ahead: 4 MiB, unless single rows are larger, ride out one EndTxn
	reportInterval = time.Second      // well below any wal_sender_timeout, and how late a confirmation may be reported
	statusInterval = 10 * time.Second // between two requests for a sign of life
	maxSilence     = time.Minute      // of a server that is asked for one
	farewell       = 5 * time.Second  // for the server to take the last status and end the copy
)

// Stream owns a replication connection. One goroutine, [Stream.Run], both
// receives and sends on it, so there is no lock; it goes on answering the server
// while the receiver of its batches is busy.
type Stream struct {
	cfg     *Config
	conn    *pgconn.PgConn
	batches chan Batch

	confirmed atomic.Uint64 // written by Confirm, read by Run's goroutine

	// Only Run's goroutine touches the rest.
	batch      Batch
	received   schema.LSN // the highest
	reported   schema.LSN
	lastStatus time.Time
	lastAsked  time.Time
	lastHeard  time.Time
}

// Batch is what the connection brought, in order.
type Batch struct {
	frames []frame
	data   []byte // the payloads of the frames, back to back
}

// frame is one CopyData message: a pgoutput message, or a keepalive, which is
// the server's word that everything below walEnd has been sent.
type frame struct {
	keepalive   bool
	replyWanted bool
	walEnd      schema.LSN // keepalives only
	length      int
}

// startStream takes the slot: START_REPLICATION from 0/0, which Postgres reads as
// "from confirmed_flush_lsn". It never passes an LSN of ours, because the server
// would silently skip everything below it.
//
// The caller owns conn until it succeeds; then the Stream does.
func startStream(ctx context.Context, conn *pgconn.PgConn, cfg *Config) (*Stream, error) {
	err := pglogrepl.StartReplication(ctx, conn, cfg.Slot, 0, pglogrepl.StartReplicationOptions{
		PluginArgs: pluginArgs(cfg),
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &Stream{
		cfg: cfg, conn: conn, batches: make(chan Batch, batchQueue), lastStatus: now, lastAsked: now, lastHeard: now,
	}, nil
}

// pluginArgs asks for logical messages always: the position within a commit
// counts them, whatever else is configured.
func pluginArgs(cfg *Config) []string {
	var names []string
	for _, name := range cfg.Publications {
		names = append(names, pgx.Identifier{name}.Sanitize())
	}
	args := []string{"publication_names " + quoteLiteral(strings.Join(names, ",")), "messages 'true'"}
	if cfg.Streaming {
		return append(args, "proto_version '2'", "streaming 'on'")
	}
	return append(args, "proto_version '1'")
}

// Batches is closed when Run ends.
func (s *Stream) Batches() <-chan Batch { return s.batches }

// Confirm lets Run tell the server that everything below lsn is durable in
// Kafka. Safe to call from any goroutine; never call it with more than that.
func (s *Stream) Confirm(lsn schema.LSN) { s.confirmed.Store(uint64(lsn)) }

// Run receives until ctx ends or the connection breaks, and closes the
// connection. When ctx ends it reports the confirmed LSN a last time and waits
// until the server has taken it; then it returns nil.
func (s *Stream) Run(ctx context.Context) error {
	defer close(s.batches)
	stopWaking := context.AfterFunc(ctx, func() { _ = s.conn.Conn().SetReadDeadline(time.Unix(1, 0)) })
	defer stopWaking()

	err := s.receive(ctx)
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if ctx.Err() != nil && (err == nil || isTimeout(err)) {
		err = s.finish(bye)
	}
	return errors.Join(err, s.conn.Close(bye))
}

func (s *Stream) receive(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.reportIfDue(ctx); err != nil {
			return err
		}
		if s.buffered() == 0 {
			if err := s.handOver(ctx); err != nil {
				return err
			}
			if err := s.armDeadline(ctx); err != nil {
				return err
			}
		}
		msg, err := s.conn.Frontend().Receive()
		if isTimeout(err) {
			if silent := time.Since(s.lastHeard); silent > maxSilence {
				return fmt.Errorf("no sign of life from the server for %s", silent.Round(time.Second))
			}
			if err := s.armDeadline(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		s.lastHeard = time.Now()
		if err := s.take(ctx, msg); err != nil {
			return err
		}
		if len(s.batch.data) >= batchBytes {
			if err := s.handOver(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Stream) buffered() int { return s.conn.Frontend().ReadBufferLen() }

// armDeadline bounds the next wait for bytes. A read that times out loses
// nothing: the frontend resumes a half-read message.
func (s *Stream) armDeadline(ctx context.Context) error {
	if err := s.conn.Conn().SetReadDeadline(time.Now().Add(reportInterval)); err != nil {
		return fmt.Errorf("set read deadline: %w", err)
	}
	if ctx.Err() != nil { // the AfterFunc may have run just before
		return s.conn.Conn().SetReadDeadline(time.Unix(1, 0))
	}
	return nil
}

// take adds one message of the copy stream to the batch.
func (s *Stream) take(ctx context.Context, msg pgproto3.BackendMessage) error {
	switch msg := msg.(type) {
	case *pgproto3.CopyData:
		return s.takeCopyData(ctx, msg.Data)
	case *pgproto3.ErrorResponse:
		return pgconn.ErrorResponseToPgError(msg)
	case *pgproto3.NoticeResponse:
		return warning(msg)
	case *pgproto3.ParameterStatus:
		return nil
	case *pgproto3.CopyDone, *pgproto3.CommandComplete: // it shuts down
		return errors.New("the server ended the copy stream")
	default:
		return fmt.Errorf("unexpected message %T in the copy stream", msg)
	}
}

// warning turns a server's warning into the end of the stream: from Postgres 18
// on a missing publication is only that, and its rows are left out without more.
func warning(msg *pgproto3.NoticeResponse) error {
	switch msg.SeverityUnlocalized {
	case "DEBUG", "LOG", "INFO", "NOTICE":
		return nil
	}
	if msg.Routine == "StandbySlotsHaveCaughtup" {
		return nil // it waits for a standby of synchronized_standby_slots, and leaves nothing out
	}
	return pgconn.ErrorResponseToPgError((*pgproto3.ErrorResponse)(msg))
}

// takeCopyData reads the two messages of the streaming replication protocol that
// a walsender sends: XLogData 'w' (start, end and time before the payload) and
// keepalive 'k' (end, time, reply wanted).
func (s *Stream) takeCopyData(ctx context.Context, data []byte) error {
	const xlogHeader, keepaliveLen = 1 + 8 + 8 + 8, 1 + 8 + 8 + 1
	switch {
	case len(data) >= xlogHeader && data[0] == pglogrepl.XLogDataByteID:
		payload := data[xlogHeader:]
		s.received = max(s.received, schema.LSN(binary.BigEndian.Uint64(data[1:])))
		s.batch.data = append(s.batch.data, payload...)
		s.batch.frames = append(s.batch.frames, frame{length: len(payload)})
		return nil
	case len(data) == keepaliveLen && data[0] == pglogrepl.PrimaryKeepaliveMessageByteID:
		f := frame{
			keepalive:   true,
			walEnd:      schema.LSN(binary.BigEndian.Uint64(data[1:])),
			replyWanted: data[keepaliveLen-1] != 0,
		}
		s.batch.frames = append(s.batch.frames, f)
		s.received = max(s.received, f.walEnd)
		if f.replyWanted {
			return s.report(ctx)
		}
		return nil
	case len(data) == 0:
		return errors.New("empty CopyData message")
	default:
		return fmt.Errorf("CopyData message of kind %q and %d bytes is not of the replication protocol", data[0], len(data))
	}
}

// handOver gives the batch to the receiver, and keeps the server informed while
// the receiver is busy.
func (s *Stream) handOver(ctx context.Context) error {
	if len(s.batch.frames) == 0 {
		return nil
	}
	s.cfg.meter.receive(s.received)
	wake := time.NewTicker(reportInterval)
	defer wake.Stop()
	for {
		select {
		case s.batches <- s.batch:
			s.batch = Batch{}
			return nil
		case <-wake.C:
			if err := s.reportIfDue(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Stream) reportIfDue(ctx context.Context) error {
	if time.Since(s.lastStatus) < reportInterval {
		return nil
	}
	return s.report(ctx)
}

// report sends a standby status update, and now and then asks for an answer,
// which tells a quiet server from a dead connection. Until something is confirmed
// all three LSNs are zero, which the server takes as a sign of life and nothing
// more.
func (s *Stream) report(ctx context.Context) error {
	now, lsn := time.Now(), s.confirmed.Load()
	ask := now.Sub(s.lastAsked) >= statusInterval
	update := pglogrepl.StandbyStatusUpdate{WALWritePosition: pglogrepl.LSN(lsn), ReplyRequested: ask}
	if err := pglogrepl.SendStandbyStatusUpdate(ctx, s.conn, update); err != nil {
		return fmt.Errorf("send status update: %w", err)
	}
	if schema.LSN(lsn) != s.reported {
		s.reported = schema.LSN(lsn)
		s.cfg.reach(FailReported)
	}
	s.lastStatus = now
	if ask {
		s.lastAsked = now
	}
	return nil
}

// finish reports a last time and ends the copy. The server handles the two in
// order, so its CommandComplete means that the slot has the report.
func (s *Stream) finish(ctx context.Context) error {
	if err := s.report(ctx); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	if err := s.conn.Conn().SetDeadline(deadline); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	s.conn.Frontend().Send(&pgproto3.CopyDone{})
	if err := s.conn.Frontend().Flush(); err != nil {
		return fmt.Errorf("end the copy stream: %w", err)
	}
	for {
		msg, err := s.conn.Frontend().Receive()
		if err != nil {
			return fmt.Errorf("await the end of the copy stream: %w", err)
		}
		switch msg := msg.(type) {
		case *pgproto3.CommandComplete:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(msg)
		}
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || (errors.As(err, &netErr) && netErr.Timeout())
}
