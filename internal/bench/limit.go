package bench

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"penstock/internal/fault"
)

// limit is what reads a slot fastest: pg_recvlogical of a Postgres' client programs, to nowhere.
type limit struct{ bin string }

func newLimit() (*limit, error) {
	bin, err := exec.LookPath("pg_recvlogical")
	if err != nil {
		return nil, &fault.Error{
			Kind: fault.Usage, Where: "reader limit", What: "pg_recvlogical is not on this machine",
			Fix: "apt-get install postgresql-client, or --readers without limit", Err: err,
		}
	}
	return &limit{bin}, nil
}

func (l *limit) name() string  { return nameLimit }
func (l *limit) label() string { return "pg_recvlogical to nowhere" }
func (l *limit) writes() bool  { return false }

func (*limit) prepare(context.Context, *Rig) error { return nil }

// read runs it up to the end of the rows.
func (l *limit) read(ctx context.Context, t *trial) error {
	cmd := exec.CommandContext(ctx, l.bin, "--dbname="+t.rig.postgres.DSN(), "--slot="+t.name, "--start", "--file=/dev/null",
		"--option=proto_version=1", "--option=publication_names="+publication, "--endpos="+t.rig.loaded.end, "--fsync-interval=0", "--no-loop")
	var said bytes.Buffer
	cmd.Stderr = &said
	// The kernel sends the death signal when the thread that started the child ends: this one waits for it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	t.usage.watchNew(roleReader, cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, &said)
	}
	t.last = time.Now()
	return nil
}
