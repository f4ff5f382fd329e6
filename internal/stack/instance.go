package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	askTimeout   = 10 * time.Second      // one login at a server that is up
	readyEvery   = 25 * time.Millisecond // between two looks at a server that is coming up
	portAttempts = 5                     // starts of one server whose port another process took first
	crashTimeout = 15 * time.Second      // a killed server's own children may hold its resources that long
	logLines     = 15                    // of a server's log, shown when it does not start
)

// recipe is how a native server is started; each server's file makes one after its files are in the cache.
type recipe struct {
	version   string
	from      string                   // where the program comes from, for people
	ports     int                      // how many it listens on; clients use the first
	configure func(in *Instance) error // writes in.dir; runs before every start
	command   func(in *Instance) *exec.Cmd
	stop      syscall.Signal // orderly end that keeps all data
	atDeath   syscall.Signal // sent by the kernel when this process dies
	archive   *classArchive  // Java servers only
}

// Instance is one native server. Its methods must not be called concurrently.
type Instance struct {
	kind     kind
	recipe   recipe
	home     *home
	private  bool // the home is the instance's own and ends with it
	settings map[string]string
	dir      string
	ports    []int
	proc     *process
	version  string // as the server tells it
}

// StartPostgres starts a private native Postgres with settings (as in postgresql.conf) over the usual ones. Close ends it.
func StartPostgres(ctx context.Context, opts Options, settings map[string]string) (*Instance, error) {
	return startPrivate(ctx, opts, postgresKind(), settings)
}

// StartKafka starts a private native broker with settings (as in server.properties) over the usual ones. Listeners, their
// advertised addresses and protocols come beside the usual ones; a listener may have the broker's spare port: SpareAddress.
func StartKafka(ctx context.Context, opts Options, settings map[string]string) (*Instance, error) {
	return startPrivate(ctx, opts, kafkaKind(), settings)
}

// StartCassandra starts a private native node with settings (as in cassandra.yaml, values in YAML) over the usual ones.
func StartCassandra(ctx context.Context, opts Options, settings map[string]string) (*Instance, error) {
	return startPrivate(ctx, opts, cassandraKind(), settings)
}

// StartRedis starts a private native Redis with settings (as in redis.conf) over the usual ones.
func StartRedis(ctx context.Context, opts Options, settings map[string]string) (*Instance, error) {
	return startPrivate(ctx, opts, redisKind(), settings)
}

func startPrivate(ctx context.Context, opts Options, k kind, settings map[string]string) (*Instance, error) {
	opts, err := opts.resolve()
	if err != nil {
		return nil, err
	}
	h, err := openHome(opts)
	if err != nil {
		return nil, err
	}
	if err := h.checkPrerequisites(ctx, []kind{k}); err != nil {
		return nil, errors.Join(err, h.close())
	}
	in, err := h.startInstance(ctx, k, settings)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", k.name, err), h.close())
	}
	in.private = true
	return in, nil
}

func (h *home) startInstance(ctx context.Context, k kind, settings map[string]string) (*Instance, error) {
	r, err := k.native(ctx, h, settings)
	if err != nil {
		return nil, err
	}
	in := &Instance{kind: k, recipe: r, home: h, settings: settings, dir: filepath.Join(h.dir, k.name)}
	if err := os.MkdirAll(in.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	in.ports = in.lastPorts()
	h.report.say(k.name, "starting %s (%s)", r.version, r.from)
	for attempt := 1; ; attempt++ {
		if in.ports == nil {
			if in.ports, err = freePorts(r.ports); err != nil {
				return nil, err
			}
		}
		if err = in.start(ctx); err == nil {
			break
		}
		if attempt == portAttempts || !in.lostPort(err) {
			return nil, err
		}
		in.ports = nil
	}
	h.report.say(k.name, "%s answers at %s", in.version, in.Address())
	return in, in.keepPorts()
}

// start starts the process on in.ports and returns when it answers a login. On error no process is left.
func (in *Instance) start(ctx context.Context) error {
	if err := in.recipe.configure(in); err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	proc, err := in.home.spawner.spawn(in.recipe.command(in), in.LogFile(), in.recipe.atDeath)
	if err != nil {
		return err
	}
	in.proc = proc
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("no answer within %s", startTimeout))
	defer cancel()
	if err := in.awaitAnswer(ctx); err != nil {
		proc.kill()
		return err
	}
	return nil
}

func (in *Instance) awaitAnswer(ctx context.Context) error {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		version, err := in.kind.ask(ctx, in.access())
		if err == nil && in.proc.alive() { // else another process answered on our port
			in.version = version
			return nil
		}
		if err == nil {
			err = errors.New("another process answers there")
		}
		select {
		case <-in.proc.exited:
			return &exitError{in.proc.err, in.LogFile()}
		case <-ctx.Done():
			return fmt.Errorf("%w (%w); last answer: %w; log %s ends with:\n%s",
				ctx.Err(), context.Cause(ctx), err, in.LogFile(), in.LogTail())
		case <-tick.C:
		}
	}
}

// exitError says that a server ended while it was starting.
type exitError struct {
	err error // of Wait; nil: exit code 0
	log string
}

func (e *exitError) Error() string {
	return fmt.Sprintf("ended while starting (%v); log %s ends with:\n%s", e.err, e.log, tail(e.log, logLines))
}

func (e *exitError) Unwrap() error { return e.err }

// lostPort tells whether the server ended because another process had taken one of its ports.
func (in *Instance) lostPort(err error) bool {
	if _, ended := errors.AsType[*exitError](err); !ended {
		return false
	}
	for _, port := range in.ports {
		if !portFree(port) {
			return true
		}
	}
	return false
}

// lastPorts are those of the last start on the same data, when they are free still: a kept stack keeps its addresses.
func (in *Instance) lastPorts() []int {
	text, err := os.ReadFile(in.portsFile())
	if err != nil {
		return nil
	}
	var ports []int
	for field := range strings.FieldsSeq(string(text)) {
		var port int
		if _, err := fmt.Sscan(field, &port); err != nil || !portFree(port) {
			return nil
		}
		ports = append(ports, port)
	}
	if len(ports) != in.recipe.ports {
		return nil
	}
	return ports
}

func (in *Instance) keepPorts() error {
	return os.WriteFile(in.portsFile(), []byte(strings.Trim(fmt.Sprint(in.ports), "[]")), 0o644)
}

func (in *Instance) portsFile() string { return in.dir + ".ports" }

// LogFile is the file with all that the server printed.
func (in *Instance) LogFile() string { return in.dir + ".log" }

// LogTail returns the last lines of the log.
func (in *Instance) LogTail() string { return tail(in.LogFile(), logLines) }

// Address is host:port of the server, the same after Restart.
func (in *Instance) Address() string { return loopback(in.ports[0]) }

// Spare is host:port for one more listener of a broker, the same after Restart. Other servers have no such port.
func (in *Instance) Spare() string { return loopback(in.ports[len(in.ports)-1]) }

// DSN is how Postgres is reached by its superuser; empty for the other servers.
func (in *Instance) DSN() string { return in.access().dsn }

// PID is the process id of the running or last server process.
func (in *Instance) PID() int { return in.proc.cmd.Process.Pid }

// Version is what the server says of itself.
func (in *Instance) Version() string { return in.version }

func (in *Instance) access() access { return in.kind.locate(in.ports[0]) }

func (in *Instance) about() About { return About{in.version, FromNative} }

// Kill ends the server as a crash would (SIGKILL, for Postgres to all its processes) and waits for its end.
func (in *Instance) Kill() { in.proc.kill() }

// Pause holds the server and its own children as a machine that hangs would (SIGSTOP). Only Resume, Kill and Close may follow.
func (in *Instance) Pause() error { return in.proc.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (in *Instance) Resume() error { return in.proc.signal(syscall.SIGCONT) }

// Stop ends the server in order, its data kept; Restart starts it again.
func (in *Instance) Stop() error {
	if !in.proc.alive() {
		in.recipe.archive.finish(false)
		return nil
	}
	if in.recipe.archive.wanted() {
		in.home.report.say(in.kind.name, "stopping; once only this writes an archive of its classes, for faster starts")
	}
	err := in.proc.end(in.recipe.stop, stopTimeout)
	in.recipe.archive.finish(err == nil)
	if err != nil {
		return fmt.Errorf("stop %s: %w", in.kind.name, err)
	}
	return nil
}

// Restart starts the server again on its data and its ports, after Kill or Stop, or stops it first when it runs. It
// returns when the server answers. A killed server may need a few seconds until what it held is free.
func (in *Instance) Restart(ctx context.Context) error {
	if err := in.Stop(); err != nil {
		return err
	}
	deadline := time.Now().Add(crashTimeout)
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		err := in.start(ctx)
		if _, ended := errors.AsType[*exitError](err); !ended || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}

// Close ends the server. Temporary data is removed, so nothing is done to save it; kept data is saved in order.
func (in *Instance) Close() error {
	var err error
	if in.home.temporary && !in.recipe.archive.wanted() {
		in.proc.kill()
	} else {
		err = in.Stop()
	}
	if in.private {
		err = errors.Join(err, in.home.close())
	}
	return err
}
