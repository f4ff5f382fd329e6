package chaos

import (
	"context"

	"penstock/internal/chaos/workload"
	"penstock/schema"
)

type target struct {
	DSN, Slot                                    string
	Brokers                                      []string
	Topics                                       map[schema.TableName]string
	PositionTopic, PositionKey, TransactionTopic string
}

type books interface {
	drained(ctx context.Context) (bool, string, error)
	finish(ctx context.Context, w *world, log *workload.Log) error
	close() error
}

type stub struct{ t target }

func openBooks(ctx context.Context, t target) (books, error) { return &stub{t}, nil }

func (s *stub) drained(ctx context.Context) (bool, string, error)             { return true, "", nil }
func (s *stub) finish(ctx context.Context, w *world, log *workload.Log) error { return nil }
func (s *stub) close() error                                                  { return nil }
