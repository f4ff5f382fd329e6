package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"penstock/internal/stack"
)

// debezium is the real connector on a Kafka Connect that runs already: as JSON without schemas, tuned.
type debezium struct {
	exactly bool // once; else at least once
}

// debeziumTuned is the best that was found for throughput; acknowledgements and compression are the daemon's.
func debeziumTuned() map[string]string {
	return map[string]string{
		"max.batch.size": "16384", "max.queue.size": "65536", "poll.interval.ms": "50",
		"producer.override.acks": "all", "producer.override.compression.type": "snappy",
		"producer.override.batch.size": "524288", "producer.override.linger.ms": "5", "producer.override.buffer.memory": "67108864",
	}
}

func (d *debezium) name() string {
	if d.exactly {
		return nameDebezium
	}
	return nameDebeziumLeast
}

func (d *debezium) label() string {
	if d.exactly {
		return "Debezium, exactly once"
	}
	return "Debezium, at least once"
}

func (d *debezium) writes() bool { return true }

func (d *debezium) version(context.Context) (string, error) { return stack.DebeziumVersion, nil }

// prepare starts a worker, which stays for all runs: exactly once is a setting of the worker.
func (d *debezium) prepare(ctx context.Context, r *Rig) error {
	if r.workers[d.exactly] != nil {
		return nil
	}
	support := "disabled"
	if d.exactly {
		support = "enabled"
	}
	worker, err := stack.StartConnectCluster(ctx, r.opts, r.kafka.Address(), "connect-"+support,
		map[string]string{"exactly.once.source.support": support})
	if err == nil {
		r.workers[d.exactly] = worker
		r.started = append(r.started, worker.Instance)
	}
	return err
}

func (d *debezium) read(ctx context.Context, t *trial) error {
	connect := t.rig.workers[d.exactly]
	config, err := stack.SlotReader(t.rig.postgres.DSN(), t.name, t.name, publication)
	if err != nil {
		return err
	}
	maps.Copy(config, debeziumTuned())
	if d.exactly {
		config["exactly.once.support"], config["transaction.boundary"] = "required", "poll"
	}
	if err := t.usage.watch(roleReader, connect.PID()); err != nil {
		return err
	}
	if err := connect.Create(ctx, t.name, config); err != nil {
		return err
	}
	err = t.follow(ctx, func() error {
		// A worker that has much to do may not answer in time; the run's own limit holds.
		if _, err := connect.Running(ctx, t.name); !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil
	})
	if err := errors.Join(err, connect.Delete(context.WithoutCancel(ctx), t.name)); err != nil {
		return fmt.Errorf("%w; its log ends with:\n%s", err, connect.LogTail())
	}
	return nil
}
