package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// verdict is what penstock verify -o json has printed.
type verdict struct {
	code   int
	stderr string
	found  []found
	totals map[string]total // by pipeline
}

// found is one difference.
type found struct {
	Pipeline, Place, Kind, Table, Key, Waiting, Why, Unrepaired string
	Repaired                                                    bool
	Fields                                                      []struct {
		Name            string
		Postgres, Store *string
	}
}

// total is the last line of a pipeline.
type total struct {
	Pipeline                                         string
	Differences, Changing, Repaired, Left, Rechecked int64
	ByHand                                           int64 `json:"by_hand"`
	Equal                                            bool
	Counts                                           []struct {
		Place           string
		Postgres, Store int64
	}
}

// verify runs the command on the world's configuration.
func (w *world) verify(env []string, args ...string) verdict {
	w.t.Helper()
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), path, slices.Concat([]string{"verify", "-c", w.config, "-o", "json"}, args)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, append(os.Environ(), env...)
	_ = cmd.Run() // its exit code says it
	v := verdict{code: cmd.ProcessState.ExitCode(), stderr: stderr.String() + stdout.String(), totals: map[string]total{}}
	for line := range strings.Lines(stdout.String()) {
		var f found
		var t total
		switch {
		case strings.Contains(line, `"equal":`) && json.Unmarshal([]byte(line), &t) == nil:
			v.totals[t.Pipeline] = t
		case json.Unmarshal([]byte(line), &f) == nil && f.Place != "":
			v.found = append(v.found, f)
		}
	}
	return v
}

// words are the differences, in words: place, kind and key, and of each field what
// Postgres and the store have.
func (v *verdict) words() []string {
	var list []string
	for _, f := range v.found {
		text := f.Place + ": " + f.Kind + " " + f.Key
		if f.Kind == "different" {
			for _, field := range f.Fields {
				text += fmt.Sprintf(" %s=%s|%s", field.Name, word(field.Postgres), word(field.Store))
			}
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

func word(text *string) string {
	if text == nil {
		return "NULL"
	}
	return *text
}

// equal runs verify at rest, which has to find nothing.
func (w *world) equal(when string, env []string, args ...string) verdict {
	w.t.Helper()
	v := w.equalMeanwhile(when, env, args...)
	for pipeline, total := range v.totals {
		if total.Changing != 0 {
			w.t.Fatalf("%s: %d rows of %s are changing", when, total.Changing, pipeline)
		}
	}
	return v
}

// equalMeanwhile is equal while rows are written: those that change all the time are no difference.
func (w *world) equalMeanwhile(when string, env []string, args ...string) verdict {
	w.t.Helper()
	v := w.verify(env, args...)
	v.found = slices.DeleteFunc(v.found, func(f found) bool { return f.Kind == "changing" })
	if v.code != 0 || len(v.found) > 0 || len(v.totals) == 0 {
		w.t.Fatalf("%s: exit code %d, differences %q\n%s", when, v.code, v.words(), v.stderr)
	}
	return v
}

// differs runs verify, which has to find these differences and no others.
func (w *world) differs(when string, env, args []string, want ...string) {
	w.t.Helper()
	v := w.verify(env, args...)
	slices.Sort(want)
	if diff := cmp.Diff(want, v.words()); diff != "" || v.code != 4 {
		w.t.Fatalf("%s: exit code %d (-want +found):\n%s\n%s", when, v.code, diff, v.stderr)
	}
}

// repairs runs verify --repair, which has to mend everything.
func (w *world) repairs(when string, differences int64, env []string, args ...string) {
	w.t.Helper()
	v := w.verify(env, append(args, "--repair")...)
	var repaired, left int64
	for _, t := range v.totals {
		repaired, left = repaired+t.Repaired, left+t.Left
	}
	if v.code != 0 || repaired != differences || left != 0 {
		w.t.Fatalf("%s: exit code %d, repaired %d of %d, left %d: %+v\n%s", when, v.code, repaired, differences, left, v.found, v.stderr)
	}
}

// writing runs statements in turn, one at a time, until the function that it returns is
// called.
func (w *world) writing(pause time.Duration, statements ...string) (stop func()) {
	w.t.Helper()
	db, err := pgx.Connect(w.t.Context(), w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	enough, done := make(chan struct{}), make(chan error, 1)
	go func() {
		defer func() { _ = db.Close(context.WithoutCancel(w.t.Context())) }()
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-enough:
				done <- nil
				return
			case <-tick.C:
			}
			// It is not cut off: the server might still commit it when nobody waits any more.
			if _, err := db.Exec(w.t.Context(), statements[n%len(statements)]); err != nil {
				done <- err
				return
			}
		}
	}()
	return func() {
		w.t.Helper()
		close(enough)
		if err := <-done; err != nil {
			w.t.Fatal(err)
		}
	}
}

// pacing lies between two statements of a load.
const pacing = 50 * time.Millisecond

// cql runs statements in the world's keyspace.
func (w *world) cql(statements ...string) {
	w.t.Helper()
	for _, statement := range statements {
		if err := w.history.Query(statement).ExecContext(w.t.Context()); err != nil {
			w.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// redisDo runs commands of Redis, each as words.
func (w *world) redisDo(commands ...[]string) {
	w.t.Helper()
	for _, words := range commands {
		if err := w.latest.Do(w.t.Context(), w.latest.B().Arbitrary(words...).Build()).Error(); err != nil {
			w.t.Fatalf("%q: %v", words, err)
		}
	}
}

// text is one value of a query on Postgres.
func (w *world) text(query string) string {
	w.t.Helper()
	var text string
	if err := w.db.QueryRow(w.t.Context(), query).Scan(&text); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return text
}
