package chaos

import (
	"context"
	"fmt"
	"time"

	"penstock/internal/chaos/workload"
)

// loadEnd is how the load ended.
type loadEnd struct {
	log *workload.Log
	err error
}

// startLoad writes until the faults and the events are done.
func (w *world) startLoad(ctx context.Context) {
	w.common.startLoad(ctx, workload.Options{
		DSN: w.source.dsn, Seed: w.seed, Workers: w.tuning.workers, Rate: w.tuning.rate, Mix: w.tuning.mix,
		MaxValue: w.tuning.maxValue, Patience: recoverTimeout,
	})
}

func (w *common) startLoad(ctx context.Context, opts workload.Options) {
	load := workload.Start(ctx, opts)
	ended := make(chan loadEnd, 1) // one: it ends whether or not anybody asks
	go func() {                    // joined by endLoad or close
		log, err := load.Wait()
		ended <- loadEnd{log, err}
	}()
	w.load, w.loaded = load, ended
}

// endLoad stops the load once it has written enough.
func (w *common) endLoad(ctx context.Context) (*workload.Log, error) {
	if w.load == nil {
		return &workload.Log{Seed: w.seed}, nil
	}
	enough := func(context.Context) (string, error) {
		if n := w.load.Written(); n < w.size.Events && len(w.loaded) == 0 {
			return fmt.Sprintf("%d events are written", n), nil
		}
		return "", nil
	}
	if err := eventually(ctx, 20*time.Minute, fmt.Sprintf("the load to write %d events", w.size.Events), enough); err != nil {
		return nil, err
	}
	end := w.stopLoad()
	if end.err != nil {
		return nil, fmt.Errorf("the load: %w", end.err)
	}
	return end.log, nil
}

func (w *common) stopLoad() loadEnd {
	w.load.Stop()
	end := <-w.loaded
	w.load = nil
	return end
}
