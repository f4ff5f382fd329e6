package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"penstock/internal/fault"
)

const commanders = 3 // who give commands at once

// commands are those that were given, and what came of them.
type commands struct {
	given, refused, killed, late atomic.Int64

	mu      sync.Mutex
	started map[string]bool // ids of the jobs whose start was acknowledged; guarded by mu
}

// commandCopies gives commands from several clients at once while the daemon is killed, until enough of both is
// seen. Then every table is backfilled to its end, and the position topic has to tell a legal story.
func commandCopies(ctx context.Context, w *copyWorld) error {
	w.startWriting(ctx)
	wanted := int64(100)
	if !w.full {
		wanted = 24
	}
	said := &commands{started: map[string]bool{}}
	giving, enough := context.WithCancel(ctx)
	defer enough()
	group, giving := errgroup.WithContext(giving)
	for i := range commanders {
		random := rand.New(rand.NewPCG(w.seed, uint64(100+i)))
		group.Go(func() error {
			for giving.Err() == nil {
				if err := w.giveAny(giving, random, said); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var err error
	for seen := 0; err == nil && giving.Err() == nil && (seen < w.size.Faults || said.given.Load() < wanted); _, seen = w.made() {
		err = w.crashOnce(giving)
	}
	enough()
	if failed := group.Wait(); failed != nil && !errors.Is(failed, context.Canceled) { // which is how they were told to end
		return failed
	}
	if err != nil {
		return err
	}
	w.figure("commands", fmt.Sprintf("%d/refused:%d/killed:%d/late:%d", said.given.Load(), said.refused.Load(), said.killed.Load(), said.late.Load()))
	if err := w.finishJobs(ctx); err != nil {
		return err
	}
	return w.holdStory(ctx, said)
}

// giveAny gives a command at random, and kills one of six while it is given.
func (w *copyWorld) giveAny(ctx context.Context, random *rand.Rand, said *commands) error {
	do := []string{"start", "start", "pause", "resume", "cancel"}[random.IntN(5)]
	table := "public." + w.tuning.tables[random.IntN(len(w.tuning.tables))]
	running, cancel := context.WithTimeout(ctx, commandWait)
	if random.IntN(6) == 0 {
		cancel()
		running, cancel = context.WithTimeout(ctx, time.Duration(random.Int64N(int64(400*time.Millisecond))))
	}
	defer cancel()
	text, code, err := w.give(running, do, table)
	said.given.Add(1)
	switch {
	case running.Err() != nil:
		said.killed.Add(1)
	case err != nil:
		return err
	case code == fault.Refused.ExitCode(), code == fault.Unreachable.ExitCode():
		if said.refused.Add(1); code == fault.Unreachable.ExitCode() {
			said.late.Add(1)
		}
	case code != 0:
		w.wrong(Illegal, "backfill %s %s ends with exit code %d: %.500s", do, table, code, text)
	case do == "start":
		var jobs []job
		if err := json.Unmarshal(text, &jobs); err != nil || len(jobs) != 1 {
			w.wrong(Illegal, "backfill start %s says %.500s", table, text)
			return nil
		}
		said.mu.Lock()
		said.started[jobs[0].ID] = true
		said.mu.Unlock()
	}
	return pause(ctx, time.Duration(random.Int64N(int64(500*time.Millisecond))))
}

// give runs penstock backfill. An error is the rig's own, or that ctx ended.
func (w *copyWorld) give(ctx context.Context, do, table string) (text []byte, code int, err error) {
	text, err = exec.CommandContext(ctx, w.rig.binary, "backfill", do, table, "-c", w.daemon.config, "-o", "json", "--timeout", "30s").Output()
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		return append(text, exit.Stderr...), exit.ExitCode(), nil
	}
	return text, 0, err
}

// finishJobs backfills every table to its end: what is paused is resumed, and what has ended is started once more.
func (w *copyWorld) finishJobs(ctx context.Context) error {
	again := map[string]bool{}
	_, err := w.awaitJobs(ctx, "every table to be backfilled to its end", func(jobs map[string]job) (missing string) {
		for _, table := range w.captured() {
			state := jobs[table].State
			switch {
			case state == "done" && again[table]:
				continue
			case state == "paused":
				_, _, _ = w.give(ctx, "resume", table) // it is looked at again
			case state != "running":
				if _, code, err := w.give(ctx, "start", table); err == nil && code == 0 {
					again[table] = true
				}
			}
			missing = table + " is " + state
		}
		return missing
	})
	return err
}

// told is what the position topic says of a backfill or a command.
type told struct {
	Capture  string
	Command  string
	Backfill *struct{ Schema, Name string }
}

// after are the states that may follow one of the same job, none when it has ended.
func after(state string) []string {
	switch state {
	case "running":
		return []string{"running", "paused", "done", "failed", "cancelled"}
	case "paused":
		return []string{"paused", "running", "cancelled"}
	}
	return nil
}

// holdStory reads the position topic from its beginning: each job goes from state to state as it may, and ends once;
// each command was met once; and a start that was acknowledged is there.
func (w *copyWorld) holdStory(ctx context.Context, said *commands) error {
	last, ids := map[string]job{}, map[string]bool{}
	met, waits := map[string]int{}, map[string]bool{}
	err := w.scan(ctx, []string{w.topic("position")}, func(r *kgo.Record) error {
		var key told
		if err := json.Unmarshal(r.Key, &key); len(r.Key) > 0 && r.Key[0] == '{' && err != nil {
			return err // other keys are of positions
		}
		switch {
		case key.Command != "" && r.Value == nil:
			met[key.Command]++
			delete(waits, key.Command)
		case key.Command != "":
			waits[key.Command] = true
		case key.Backfill != nil:
			var now job
			if err := json.Unmarshal(r.Value, &now); err != nil {
				return err
			}
			w.holdStep(key.Backfill.Name, last[key.Backfill.Name], now)
			last[key.Backfill.Name], ids[now.ID] = now, true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(met)) {
		if met[id] > 1 {
			w.wrong(Illegal, "command %s was met %d times", id, met[id])
		}
	}
	for id := range waits {
		w.wrong(Illegal, "command %s was never met", id)
	}
	for id := range said.started {
		if !ids[id] {
			w.wrong(Illegal, "backfill %s was acknowledged and is not there", id)
		}
	}
	w.figure("met", len(met))
	w.figure("jobs", len(ids))
	if len(met) == 0 || len(ids) < 2 {
		w.object("no command had an effect")
	}
	return nil
}

// holdStep holds what is told of a table's backfill against what was told before.
func (w *copyWorld) holdStep(table string, was, now job) {
	switch {
	case was.ID != now.ID:
		if len(after(was.State)) > 0 {
			w.wrong(Illegal, "%s: backfill %s begins while %s is %s", table, now.ID, was.ID, was.State)
		}
	case !slices.Contains(after(was.State), now.State):
		w.wrong(Illegal, "%s: backfill %s becomes %s, it was %s", table, now.ID, now.State, was.State)
	case now.Rows < was.Rows || now.Chunks < was.Chunks:
		w.wrong(Illegal, "%s: backfill %s has %d rows and %d chunks, it had %d and %d", table, now.ID, now.Rows, now.Chunks, was.Rows, was.Chunks)
	}
}
