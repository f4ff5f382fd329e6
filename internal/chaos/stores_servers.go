package chaos

import (
	"context"

	"golang.org/x/sync/errgroup"

	"penstock/internal/stack"
)

// startStores starts Cassandra and Redis unless they run. Both have on disk what they
// have acknowledged.
func (r *Rig) startStores(ctx context.Context) error {
	if r.redis != nil {
		return nil
	}
	r.say("starting Cassandra and Redis")
	var starting errgroup.Group
	starting.Go(func() (err error) {
		r.cassandra, err = stack.StartCassandra(ctx, stack.Options{Mode: stack.Native, Throughput: r.opts.Throughput}, nil)
		return err
	})
	starting.Go(func() (err error) {
		r.redis, err = stack.StartRedis(ctx, stack.Options{Mode: stack.Native}, map[string]string{
			"appendonly": "yes", "appendfsync": "always", "aof-load-truncated": "yes",
		})
		return err
	})
	return starting.Wait()
}

// storeServers are those of the two that run.
func (r *Rig) storeServers() []*stack.Instance {
	var all []*stack.Instance
	for _, in := range []*stack.Instance{r.cassandra, r.redis} {
		if in != nil {
			all = append(all, in)
		}
	}
	return all
}
