package stores

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// rows are by id.
type rows map[string]fields

// truth asks the source for what the stores must have, each query once.
func (s *Stores) truth(ctx context.Context, p *Pipeline) (out map[string]rows, err error) {
	conn, err := pgx.Connect(ctx, s.target.DSN)
	if err != nil {
		return nil, fmt.Errorf("connect to the source: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	out = map[string]rows{}
	for _, k := range p.kept {
		if out[k.truth] != nil {
			continue
		}
		if out[k.truth], err = ask(ctx, conn, k.truth, k.table.fields); err != nil {
			return nil, err
		}
	}
	if out[p.redis.truth] == nil {
		out[p.redis.truth], err = ask(ctx, conn, p.redis.truth, p.redis.fields)
	}
	return out, err
}

// ask reads rows of texts, of which the first is the id.
func ask(ctx context.Context, conn *pgx.Conn, sql string, columns int) (rows, error) {
	found, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("ask the source: %w", err)
	}
	defer found.Close()
	out := rows{}
	texts, into := make([]*string, columns), make([]any, columns)
	for i := range texts {
		into[i] = &texts[i]
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return nil, fmt.Errorf("ask the source: %w", err)
		}
		row := make(fields, columns)
		for i, text := range texts {
			row[i] = null
			if text != nil {
				row[i] = *text
			}
		}
		out[row[0]] = row
	}
	return out, found.Err()
}
