package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"penstock/schema"
)

const (
	slotName        = "sim"
	publicationName = "sim"
	databaseName    = "simdb"
	systemID        = "7455555555555555555"
)

// postgres is a server with one database, one slot and one publication. It
// forgets in a crash what it has not saved of the slot.
type postgres struct {
	wal    *wal
	report func(format string, args ...any) // of what the run must not see

	mu        sync.Mutex
	rand      *rand.Rand
	down      bool
	started   int // sessions
	timeline  int32
	history   []switchover
	sessions  map[*session]struct{}
	slot      *replicationSlot
	created   schema.LSN // the slot's first position
	published bool
	lies      lies
}

// replicationSlot is the server's memory of what its reader has.
type replicationSlot struct {
	confirmed schema.LSN
	saved     schema.LSN // what a crash leaves of confirmed
	holder    *session
	lost      bool
}

// switchover is the end of a timeline.
type switchover struct {
	timeline int32
	at       schema.LSN
}

// lies are what a server does in a run that has to fail.
type lies struct {
	skip   func(*commit) bool // leaves out a transaction
	change func(*change)      // sends something else
}

func newPostgres(seed uint64, w *wal, report func(string, ...any)) *postgres {
	return &postgres{
		wal: w, report: report, rand: rand.New(rand.NewPCG(seed, 2)), timeline: 1,
		sessions: map[*session]struct{}{},
	}
}

// session is one connection's server process.
type session struct {
	server      *postgres
	conn        *conn
	backend     *pgproto3.Backend
	pid         uint32
	started     string // its time, which makes the pid one of a kind
	replication bool
	evicted     chan struct{} // closed when the slot is taken from it
	rand        *rand.Rand
}

// accept serves a connection until it ends. A server that is down refuses.
func (p *postgres) accept(c *conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return syscall.ECONNREFUSED
	}
	p.started++
	s := &session{
		server: p, conn: c, backend: pgproto3.NewBackend(c, c), evicted: make(chan struct{}),
		pid: p.freePID(), started: fmt.Sprintf("2026-11-24 09:00:00.%06d+00", p.started),
		rand: rand.New(rand.NewPCG(p.rand.Uint64(), 3)),
	}
	p.sessions[s] = struct{}{}
	go s.serve()
	return nil
}

// freePID is a process id that nobody has now, and somebody may have had. The
// caller holds mu.
func (p *postgres) freePID() uint32 {
	taken := map[uint32]bool{}
	for s := range p.sessions {
		taken[s.pid] = true
	}
	if p.slot != nil && p.slot.holder != nil {
		taken[p.slot.holder.pid] = true
	}
	for pid := uint32(100 + p.rand.IntN(8)); ; pid++ {
		if !taken[pid] {
			return pid
		}
	}
}

func (s *session) serve() {
	defer func() {
		_ = s.conn.Close()
		s.server.leave(s)
	}()
	first, err := s.backend.ReceiveStartupMessage()
	if err != nil {
		return
	}
	startup, ok := first.(*pgproto3.StartupMessage)
	if !ok { // a request to cancel a query, which is over by now
		return
	}
	s.replication = startup.Parameters["replication"] == "database"
	s.backend.Send(&pgproto3.AuthenticationOk{})
	for name, value := range map[string]string{
		"server_version": "18.6", "client_encoding": "UTF8", "standard_conforming_strings": "on", "TimeZone": "UTC",
	} {
		s.backend.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	s.backend.Send(&pgproto3.BackendKeyData{ProcessID: s.pid, SecretKey: []byte{1, 2, 3, 4}})
	for {
		s.backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if s.backend.Flush() != nil {
			return
		}
		msg, err := s.backend.Receive()
		if err != nil {
			return
		}
		switch msg := msg.(type) {
		case *pgproto3.Query:
			if s.query(msg.String) != nil {
				return
			}
		case *pgproto3.Terminate:
			return
		default:
			s.server.report("postgres was sent %T, which it does not know", msg)
			return
		}
	}
}

// leave frees the slot of a session that has ended, after the time that a server
// takes to notice.
func (p *postgres) leave(s *session) {
	p.mu.Lock()
	wait := time.Duration(0)
	if p.rand.IntN(3) == 0 {
		wait = time.Duration(p.rand.IntN(2000)) * time.Millisecond
	}
	delete(p.sessions, s)
	holds := p.slot != nil && p.slot.holder == s
	p.mu.Unlock()
	if !holds {
		return
	}
	if wait > 0 {
		await(s.evicted, wait)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slot != nil && p.slot.holder == s {
		p.slot.holder = nil
	}
}

// crash ends every session, loses what was not saved, and stays down for a while.
func (p *postgres) crash(down time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	if p.slot != nil {
		p.slot.confirmed, p.slot.holder = p.slot.saved, nil
	}
	for s := range p.sessions {
		s.conn.reset(errCut)
	}
	time.AfterFunc(down, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.down = false
	})
}

// begun is the position that the slot was created at, or 0.
func (p *postgres) begun() schema.LSN {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.created
}

// awaitSlot waits until the slot is there, or ctx ends.
func (p *postgres) awaitSlot(ctx context.Context) {
	for p.begun() == 0 && !await(ctx.Done(), 50*time.Millisecond) {
		continue
	}
}

// isDown reports whether the server refuses connections.
func (p *postgres) isDown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down
}

// checkpoint saves the slot.
func (p *postgres) checkpoint() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slot != nil {
		p.slot.saved = p.slot.confirmed
	}
}

// promote goes on with a new timeline, as a standby does that has the log up to
// at and, of the slot, what was saved.
func (p *postgres) promote(at schema.LSN, down time.Duration) {
	p.crash(down)
	p.wal.truncate(at)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.history = append(p.history, switchover{p.timeline, at})
	p.timeline++
	if p.slot != nil {
		p.slot.confirmed = min(p.slot.confirmed, at)
		p.slot.saved = p.slot.confirmed
	}
}

// alter changes the slot as somebody does who may; nil drops it.
func (p *postgres) alter(change func(replicationSlot) *replicationSlot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.slot.holder; s != nil {
		s.conn.reset(errCut)
	}
	p.slot = change(*p.slot)
}

// terminate ends the slot's walsender, if it is the one that is meant; the empty
// start means any. It returns whether it was.
func (p *postgres) terminate(pid uint32, started string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slot == nil || p.slot.holder == nil {
		return false
	}
	s := p.slot.holder
	if started != "" && (s.pid != pid || s.started != started) {
		return false
	}
	s.conn.reset(errCut)
	select {
	case <-s.evicted:
	default:
		close(s.evicted)
	}
	return true
}

// confirmed is the slot's confirmed_flush_lsn.
func (p *postgres) confirmed() schema.LSN {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slot == nil {
		return 0
	}
	return p.slot.confirmed
}

// held reports whether anybody streams from the slot.
func (p *postgres) held() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slot != nil && p.slot.holder != nil
}

// acquire gives the session the slot, or says why not.
func (p *postgres) acquire(s *session, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch slot := p.slot; {
	case name != slotName || slot == nil:
		return sqlError("42704", "replication slot %q does not exist", name)
	case slot.holder != nil:
		return sqlError("55006", "replication slot %q is active for PID %d", name, slot.holder.pid)
	case slot.lost:
		return sqlError("55000", "can no longer access replication slot %q", name)
	case !p.published:
		return sqlError("42704", "publication %q does not exist", publicationName)
	}
	p.slot.holder = s
	return nil
}

// confirm takes a standby status.
func (p *postgres) confirm(s *session, flush schema.LSN) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slot == nil || p.slot.holder != s {
		return
	}
	if end := p.wal.flushed(); flush > end {
		p.report("the capture confirmed %s, the log ends at %s", flush, end)
	}
	p.slot.confirmed = max(p.slot.confirmed, flush)
}

// sqlError is an error that the client is to see.
func sqlError(code, format string, args ...any) error {
	return &failure{&pgproto3.ErrorResponse{
		Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: code, Message: fmt.Sprintf(format, args...),
	}}
}

type failure struct{ response *pgproto3.ErrorResponse }

func (f *failure) Error() string { return f.response.Code + ": " + f.response.Message }

// query answers one simple query. An error ends the session.
func (s *session) query(sql string) error {
	words := strings.Join(strings.Fields(strings.TrimSuffix(strings.TrimSpace(sql), ";")), " ")
	if strings.HasPrefix(words, "START_REPLICATION") {
		return s.stream(words)
	}
	answer, err := s.server.answer(s, words)
	if failed, ok := errors.AsType[*failure](err); ok {
		s.backend.Send(failed.response)
		return nil
	}
	if err != nil {
		s.server.report("postgres was asked what it does not know: %v: %s", err, sql)
		s.backend.Send(&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42601", Message: err.Error()})
		return nil
	}
	if len(answer.columns) > 0 {
		s.backend.Send(answer.description())
	}
	for _, row := range answer.rows {
		s.backend.Send(&pgproto3.DataRow{Values: row})
	}
	s.backend.Send(&pgproto3.CommandComplete{CommandTag: []byte(answer.tag)})
	return nil
}
