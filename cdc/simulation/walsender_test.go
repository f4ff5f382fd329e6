package simulation_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"penstock/schema"
)

// stream is a walsender: it takes the slot and sends what the slot has not
// confirmed, whole transactions in the order of their commits, until the client
// ends the copy. An error ends the session.
func (s *session) stream(command string) error {
	options, err := parseStart(command)
	if err == nil {
		err = s.server.acquire(s, options.slot)
	}
	if err != nil {
		failed, ok := err.(*failure) //nolint:errorlint // it is ours and not wrapped
		if !ok {
			s.server.report("postgres cannot stream: %v: %s", err, command)
			failed = &failure{&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42601", Message: err.Error()}}
		}
		s.backend.Send(failed.response)
		return nil
	}
	s.backend.Send(&pgproto3.CopyBothResponse{})
	if err := s.backend.Flush(); err != nil {
		return err
	}
	stop, heard := make(chan struct{}), make(chan error, 1)
	asked := make(chan struct{}, 1) // 1: one answer is enough for several questions
	go func() {
		defer close(stop)
		heard <- s.listen(asked)
	}()
	w := walsender{session: s, options: options, stop: stop, asked: asked, announced: map[string]bool{}}
	sendErr := w.run(s.server.confirmed())
	if sendErr != nil {
		s.conn.reset(errCut)
	}
	<-stop
	if err := <-heard; err != nil {
		return err
	}
	if sendErr != nil {
		return sendErr
	}
	s.server.release(s)
	s.backend.Send(&pgproto3.CopyDone{})
	s.backend.Send(&pgproto3.CommandComplete{CommandTag: []byte("START_STREAMING")})
	return nil
}

func (p *postgres) release(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slot != nil && p.slot.holder == s {
		p.slot.holder = nil
	}
}

// listen takes standby statuses until the client ends the copy, which is nil.
func (s *session) listen(asked chan<- struct{}) error {
	for {
		msg, err := s.backend.Receive()
		if err != nil {
			return err
		}
		switch msg := msg.(type) {
		case *pgproto3.CopyData:
			if len(msg.Data) != 34 || msg.Data[0] != 'r' {
				s.server.report("the walsender was sent %q", msg.Data)
				return errCut
			}
			if flush := schema.LSN(binary.BigEndian.Uint64(msg.Data[9:])); flush != 0 {
				s.server.confirm(s, flush)
			}
			if msg.Data[33] != 0 {
				select {
				case asked <- struct{}{}:
				default:
				}
			}
		case *pgproto3.CopyDone:
			return nil
		case *pgproto3.Terminate:
			return errCut
		default:
			s.server.report("the walsender was sent %T", msg)
			return errCut
		}
	}
}

// startOptions are what START_REPLICATION asks for.
type startOptions struct {
	slot     string
	messages bool
}

func parseStart(command string) (startOptions, error) {
	head, list, _ := strings.Cut(command, "(")
	fields := strings.Fields(head)
	if len(fields) != 5 || fields[1] != "SLOT" || fields[3] != "LOGICAL" {
		return startOptions{}, errors.New("command")
	}
	if fields[4] != "0/0" {
		return startOptions{}, fmt.Errorf("start at %s: it would skip", fields[4])
	}
	o := startOptions{slot: strings.Trim(fields[2], `"`)}
	for option := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(list), ")"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(option), " ")
		value = strings.Trim(strings.TrimSpace(value), `'"`)
		switch strings.Trim(name, `"`) {
		case "proto_version", "publication_names", "origin":
		case "messages":
			o.messages = value == "true" || value == "on"
		case "streaming", "binary", "two_phase":
			if value != "off" && value != "false" {
				return o, fmt.Errorf("option %s", option)
			}
		default:
			return o, fmt.Errorf("option %s", option)
		}
	}
	return o, nil
}

// walsender sends one stream. One goroutine writes, another listens.
type walsender struct {
	*session

	options   startOptions
	stop      <-chan struct{} // the client ends the copy, or is gone
	asked     <-chan struct{} // it wants a sign of life
	announced map[string]bool
	sent      schema.LSN
}

// run sends from confirmed on. It returns nil when told to stop.
func (w *walsender) run(confirmed schema.LSN) error {
	w.sent = confirmed
	for {
		next, found, more := w.server.wal.next(w.sent)
		if !found {
			stopped, err := w.idle(more)
			if stopped || err != nil {
				return err
			}
			continue
		}
		select {
		case <-w.stop:
			return nil
		default:
		}
		if err := w.entry(&next); err != nil {
			return err
		}
		w.sent = next.end
	}
}

// idle waits for more, with signs of life in between.
func (w *walsender) idle(more <-chan struct{}) (stopped bool, err error) {
	timer := time.NewTimer(time.Duration(100+w.rand.IntN(6000)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-more:
	case <-w.asked:
		err = w.keepalive(w.sent, false)
	case <-timer.C:
		err = w.keepalive(w.sent, w.rand.IntN(2) == 0)
	case <-w.stop:
		stopped = true
	}
	return stopped, err
}

func (w *walsender) entry(e *entry) error {
	switch {
	case e.message != nil && w.options.messages:
		return w.send(e.message.lsn, encodeMessage(e.message))
	case e.commit != nil:
		return w.commit(e)
	}
	return nil
}

func (w *walsender) commit(e *entry) error {
	c := e.commit
	if skip := w.server.lies.skip; skip != nil && skip(c) {
		return nil
	}
	if len(c.changes) == 0 && c.xid%2 == 0 {
		return nil // as from Postgres 15 on, the same each time; else as before it
	}
	if err := w.send(e.start, encodeBegin(e)); err != nil {
		return err
	}
	for i := range c.messages {
		if w.options.messages {
			if err := w.send(c.messages[i].lsn, encodeMessage(&c.messages[i])); err != nil {
				return err
			}
		}
	}
	for i := range c.changes {
		if err := w.change(e, &c.changes[i]); err != nil {
			return err
		}
	}
	return w.send(e.end, encodeCommit(e))
}

// change sends a change, its relation before it if that was not yet, and now and
// then a sign of life in the midst of the transaction.
func (w *walsender) change(e *entry, c *change) error {
	if !w.announced[c.table] || w.rand.IntN(50) == 0 {
		w.announced[c.table] = true
		if err := w.send(c.lsn, encodeRelation(c.table)); err != nil {
			return err
		}
	}
	if w.rand.IntN(12) == 0 {
		if err := w.keepalive(e.start, w.rand.IntN(2) == 0); err != nil {
			return err
		}
	}
	if lie := w.server.lies.change; lie != nil {
		forged := *c
		lie(&forged)
		c = &forged
	}
	return w.send(c.lsn, encodeChange(c))
}

func (w *walsender) keepalive(end schema.LSN, reply bool) error {
	return w.copyData(keepalive(end, reply))
}

func (w *walsender) send(at schema.LSN, payload []byte) error {
	return w.copyData(xlogData(at, payload))
}

// copyData sends one message, and sometimes lets time pass after it.
func (w *walsender) copyData(data []byte) error {
	w.backend.Send(&pgproto3.CopyData{Data: data})
	if err := w.backend.Flush(); err != nil {
		return err
	}
	if w.rand.IntN(10) > 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(w.rand.IntN(60)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.stop:
	}
	return nil
}
