package cassandra

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"go.uber.org/zap"

	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/plan"
)

// Store is a [sink.Store] and a [sink.Lookup] of one plan. Its methods may be
// called concurrently.
type Store struct {
	session  *gocql.Session
	log      *zap.Logger
	address  string
	plan     *plan.Plan
	cql      statements
	inFlight chan struct{} // one token for each statement in work; its capacity is Config.InFlight
	buckets  *bucketIndex
	maxRow   int // bytes of text that a row may have
}

// Open connects, waiting for a node that is still coming up, and creates the
// keyspaces and tables of the plan where they are absent. The caller closes the Store.
//
// Errors are faults: Unreachable when no node answered within Config.Wait, Usage
// for a configuration that cannot work, a table that is not as the plan needs it, or a login that is refused for longer than
// a new node does. log may be nil.
func Open(ctx context.Context, cfg Config, log *zap.Logger) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = zap.NewNop()
	}
	s := &Store{
		log:      log,
		address:  strings.Join(cfg.Hosts, ","),
		plan:     cfg.Plan,
		cql:      newStatements(cfg.Plan, cfg.Keyspace),
		inFlight: make(chan struct{}, cfg.InFlight),
		buckets:  newBucketIndex(),
	}
	if err := s.login(ctx, cfg, log); err != nil {
		return nil, err
	}
	s.readLimit(ctx)
	log.Info("connected", zap.String(sink.KeyWhat, "cassandra at "+s.address), zap.String(sink.KeyKeyspace, cfg.Keyspace))
	return s, nil
}

// Close ends the session. Calls in work fail.
func (s *Store) Close() { s.session.Close() }

// Name is "cassandra".
func (s *Store) Name() string { return "cassandra" }

// firstUserWait is how long a new node may refuse its first user, which it
// creates some 10 s after its port opens.
const firstUserWait = 15 * time.Second

// login waits up to Config.Wait for a node that answers, and then, when that
// refuses the login, for the user to become known.
func (s *Store) login(ctx context.Context, cfg Config, log *zap.Logger) error {
	patience := sink.Patience{Wait: cfg.Wait, Log: log}
	connect := func(ctx context.Context) error { return s.connect(ctx, cfg) }
	err := patience.Do(ctx, "cassandra at "+s.address, connect)
	if !isRefusal(err) {
		return err
	}
	var last error
	patience.Wait = min(firstUserWait, cfg.Wait)
	err = patience.Do(ctx, "cassandra to know user "+cfg.Username, func(ctx context.Context) error {
		if last = connect(ctx); isRefusal(last) {
			return &fault.Error{Kind: fault.Unreachable, What: "not yet", Err: last}
		}
		return last
	})
	if err != nil && ctx.Err() == nil && isRefusal(last) {
		return last
	}
	return err
}

// isRefusal reports whether err is a refused login.
func isRefusal(err error) bool {
	answer, answered := errors.AsType[gocql.RequestError](err)
	return answered && answer.Code() == gocql.ErrCodeCredentials
}

// connect makes one attempt. On an error no session is left open.
func (s *Store) connect(ctx context.Context, cfg Config) error {
	refusal := &refusalObserver{}
	cluster := gocql.NewCluster(cfg.Hosts...)
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: cfg.Username, Password: cfg.Password}
	cluster.Consistency = cfg.Consistency.level()
	cluster.Timeout = cfg.Timeout
	cluster.WriteCoalesceWaitTime = 0 // measured: 2 to 8 times the rate of few writers
	cluster.ConnectObserver = refusal
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	if cfg.TLS != nil {
		cluster.SslOpts = &gocql.SslOptions{Config: cfg.TLS, EnableHostVerification: !cfg.TLS.InsecureSkipVerify}
	}
	session, err := cluster.CreateSession()
	if err != nil {
		return s.openFault(cfg, err, refusal.get())
	}
	if err := s.createSchema(ctx, session, cfg); err != nil {
		session.Close()
		return err
	}
	s.session = session
	return nil
}

// openFault classes a failed login. CreateSession flattens its causes to text,
// so what the node answered comes from the observer.
func (s *Store) openFault(cfg Config, err error, refusal gocql.RequestError) error {
	if refusal != nil && refusal.Code() == gocql.ErrCodeCredentials {
		return &fault.Error{
			Kind: fault.Usage, Where: "cassandra at " + s.address, Err: refusal,
			What: fmt.Sprintf("login of user %q was refused", cfg.Username),
			Fix:  "set cassandra.username and cassandra.password",
		}
	}
	return &fault.Error{
		Kind: fault.Unreachable, Where: "cassandra at " + s.address, What: "no connection", Err: err,
		Fix: "start Cassandra or set cassandra.hosts",
	}
}

// fault classes an error of the driver. What a node refuses for good is final;
// anything else, an unknown outcome above all, is worth the same statement again.
func (s *Store) fault(doing string, err error) error {
	f := &fault.Error{Kind: fault.Unreachable, Where: "cassandra at " + s.address, What: doing, Err: err}
	var answer gocql.RequestError
	switch {
	case errors.Is(err, gocql.ErrTooManyStmts), errors.As(err, new(gocql.MarshalError)), errors.As(err, new(gocql.UnmarshalError)):
		f.Kind = fault.Runtime
	case errors.As(err, &answer):
		f.Kind = kindOf(answer.Code())
	}
	if f.Kind == fault.Usage {
		f.Fix = "grant the user of cassandra.username MODIFY and SELECT on the keyspace, and CREATE until its tables exist"
	}
	return f
}

func kindOf(code int) fault.Kind {
	switch code {
	case gocql.ErrCodeCredentials, gocql.ErrCodeUnauthorized:
		return fault.Usage
	case gocql.ErrCodeProtocol, gocql.ErrCodeSyntax, gocql.ErrCodeInvalid, gocql.ErrCodeConfig:
		return fault.Runtime
	default:
		return fault.Unreachable
	}
}

// refusalObserver keeps the last answer with which a node refused a connection.
type refusalObserver struct {
	mu   sync.Mutex
	last gocql.RequestError // guarded by mu
}

// ObserveConnect is called by the driver after each connection attempt.
func (o *refusalObserver) ObserveConnect(c gocql.ObservedConnect) {
	if answer, refused := errors.AsType[gocql.RequestError](c.Err); refused {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.last = answer
	}
}

func (o *refusalObserver) get() gocql.RequestError {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}
