package redis

import (
	"context"
	_ "embed" // for guard.lua
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/plan"
)

//go:embed guard.lua
var guardLua string // never written

//go:embed board.lua
var boardLua string // never written

// Store is a [sink.Store] of one plan. Its methods may be called
// concurrently.
type Store struct {
	client  rueidis.Client
	guard   *rueidis.Lua
	board   *rueidis.Lua
	address string
	plan    *plan.Plan
	life    string // of a tombstone, in seconds

	written, unchanged atomic.Int64
}

// Open connects, waiting for a server that is still coming up. The caller closes
// the Store.
//
// Errors are faults: Unreachable when the server did not answer within
// Config.Wait, Usage for a configuration or a login that cannot work. log may be nil.
func Open(ctx context.Context, cfg Config, log *zap.Logger) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = zap.NewNop()
	}
	s := &Store{
		guard:   rueidis.NewLuaScript(guardLua),
		board:   rueidis.NewLuaScript(boardLua),
		address: cfg.Address,
		plan:    cfg.Plan,
		life:    strconv.FormatInt(int64(cfg.TombstoneLife/time.Second), 10),
	}
	patience := sink.Patience{Wait: cfg.Wait, Log: log}
	err := patience.Do(ctx, "redis at "+s.address, func(ctx context.Context) error { return s.connect(ctx, cfg) })
	if err != nil {
		return nil, err
	}
	log.Info("connected", zap.String(sink.KeyWhat, "redis at "+s.address))
	return s, nil
}

// Close ends the connections. Calls in work fail.
func (s *Store) Close() { s.client.Close() }

// Name is "redis".
func (s *Store) Name() string { return "redis" }

// connect makes one attempt. On an error no client is left open.
func (s *Store) connect(ctx context.Context, cfg Config) error {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{cfg.Address}, Username: cfg.Username, Password: cfg.Password, SelectDB: cfg.Database,
		TLSConfig: cfg.TLS, DisableCache: true,
		DisableRetry: true, // its retries have no end; the sink's have
	})
	if err != nil {
		return s.fault("connect", err)
	}
	if err := client.Do(ctx, client.B().Ping().Build()).Error(); err != nil {
		client.Close()
		return s.fault("connect", err)
	}
	s.client = client
	return nil
}

// tooManyClients is what Redis answers to a connection above its maxclients: an ERR, which the client leaves out.
const tooManyClients = "max number of clients reached"

// fault classes an error of the client. What the server refuses for good is
// final; a server that is loading, full or changing roles, that has lost the scripts since
// they were loaded, and no answer, may pass.
func (s *Store) fault(doing string, err error) error {
	f := &fault.Error{Kind: fault.Unreachable, Where: "redis at " + s.address, What: doing, Err: err}
	answer, refused := rueidis.IsRedisErr(err)
	if !refused {
		f.Fix = "start Redis or set redis.address"
		return f
	}
	code, _, _ := strings.Cut(answer.Error(), " ")
	switch code {
	case "NOAUTH", "WRONGPASS":
		f.Kind, f.Fix = fault.Usage, "set redis.username and redis.password"
	case "NOPERM":
		f.Kind, f.Fix = fault.Usage, "ACL SETUSER <user> "+s.patterns()+" +@hash +@sortedset +@scripting +del +expire +expireat +scan +ping"
	case "LOADING", "OOM", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS", "MISCONF", "UNBLOCKED", "NOSCRIPT":
	default:
		if answer.Error() != tooManyClients {
			f.Kind = fault.Runtime
		}
	}
	if strings.Contains(answer.Error(), "WRONGTYPE") { // of one key; Redis before 7 has other words around it
		f.Fix = "the key is not this pipeline's: delete it, or set redis.prefix, or redis.key of the pipeline"
		return &sink.RecordError{Reason: deadletter.Refused, Err: f}
	}
	return f
}

// patterns are those of the keys that are written, as an ACL has them.
func (s *Store) patterns() string {
	patterns := "~" + s.plan.Redis.Prefix() + "*"
	if s.plan.Totals != nil {
		patterns += " ~" + s.plan.Totals.Prefix + "content:* ~" + s.plan.Totals.Prefix + "board:*"
	}
	return patterns
}
