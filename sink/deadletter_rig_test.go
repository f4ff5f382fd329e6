package sink_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/engagement"
)

// letters is the rig's configuration with dead letters.
func (r *rig) letters() sink.Config {
	cfg := r.config()
	cfg.OnError, cfg.DeadLetterTopic = sink.DeadLetter, "dead"
	cfg.KeepDecided = 1 // what may go goes at once
	return cfg
}

func (r *rig) letterbox() *sink.Letterbox {
	return sink.NewLetterbox(sink.LetterboxConfig{Brokers: r.cluster.ListenAddrs(), Topic: "dead"})
}

func (r *rig) book() *sink.Book {
	r.t.Helper()
	book, err := r.letterbox().Read(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return book
}

// letter reads one letter with its record.
func (r *rig) letter(id string) (letter *sink.Filed) {
	r.t.Helper()
	err := r.letterbox().Visit(r.t.Context(), []*sink.Filed{r.book().Find(id)}, func(f *sink.Filed) error {
		letter = f
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return letter
}

// decide decides one letter.
func (r *rig) decide(id string, order sink.Order) {
	r.t.Helper()
	order.Choose = func(b *sink.Book) ([]*sink.Filed, error) { return []*sink.Filed{b.Find(id)}, nil }
	decided, err := r.letterbox().Decide(r.t.Context(), order)
	if err != nil || len(decided) != 1 {
		r.t.Fatalf("decided %d letters, %v", len(decided), err)
	}
}

// uncommitted is a configuration whose sink commits no offsets from a failpoint
// on: what a crash leaves. The rig hears again when alive is called.
func uncommitted(r *rig, cfg sink.Config) (crashing sink.Config, alive func()) {
	crash := cfg.Failpoint
	var dead atomic.Bool
	r.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !dead.Load() {
			return nil, nil, false //nolint:nilnil // it is not handled here
		}
		r.cluster.KeepControl()
		return nil, errors.New("gone"), true
	})
	cfg.Failpoint = func(p sink.Failpoint) {
		dead.Store(true)
		crash(p)
	}
	return cfg, func() { dead.Store(false) }
}

// refusing is a store that does not take rows of one device.
type refusing struct {
	sink.Store
	mended *atomic.Bool // takes them
}

func (s refusing) refuses(writes []sink.Write, reason deadletter.Reason) error {
	for _, w := range writes {
		if w.Action == sink.Put && engagement.FromSlots(w.Row).Device == engagement.Some("refused") && !s.mended.Load() {
			return &sink.RecordError{Reason: reason, Err: &fault.Error{Kind: fault.Runtime, Where: "a store", What: "does not take it"}}
		}
	}
	return nil
}

func (s refusing) Apply(ctx context.Context, writes []sink.Write) error {
	if err := s.refuses(writes, deadletter.Refused); err != nil {
		return err
	}
	return s.Store.Apply(ctx, writes)
}

// checking is one that says so before.
type checking struct{ refusing }

func (s checking) Check(writes []sink.Write) error { return s.refuses(writes, deadletter.TooLarge) }
