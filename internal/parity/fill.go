package parity

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/internal/typecases"
)

const (
	typesTable = "public.types"
	// markerTable gets its only row after all changes: who has read that has read all.
	markerTable = "public.parity_end"
)

// fill makes the tables, the publications and the base slot, and then every change.
func (r *Rig) fill(ctx context.Context) error {
	if err := r.makePublications(ctx); err != nil {
		return err
	}
	if err := r.exec(ctx, r.types.CreateSQL(typesTable)...); err != nil {
		return err
	}
	if err := r.exec(ctx, fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE %s", Types, typesTable)); err != nil {
		return err
	}
	for _, s := range r.shapes {
		if err := r.setUp(ctx, &s); err != nil {
			return fmt.Errorf("shape %s: %w", s.Name, err)
		}
	}
	if err := r.exec(ctx, "RESET search_path", fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput', false, true)", baseSlot)); err != nil {
		return err
	}
	for i := range r.types.Rows() + 1 {
		if err := r.exec(ctx, r.types.InsertSQL(typesTable, i)); err != nil {
			return err
		}
	}
	for _, s := range r.shapes {
		if err := r.exec(ctx, s.script(s.Changes)...); err != nil {
			return fmt.Errorf("shape %s: %w", s.Name, err)
		}
	}
	return r.exec(ctx, "RESET search_path", fmt.Sprintf("INSERT INTO %s VALUES (1)", markerTable))
}

func (r *Rig) makePublications(ctx context.Context) error {
	if err := r.exec(ctx, "CREATE TABLE "+markerTable+" (id integer PRIMARY KEY)"); err != nil {
		return err
	}
	for _, c := range Contents() {
		options := ""
		if c == Rooted {
			options = " WITH (publish_via_partition_root = true"
			if r.major >= 18 {
				options += ", publish_generated_columns = stored"
			}
			options += ")"
		}
		if err := r.exec(ctx, fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s%s", c, markerTable, options)); err != nil {
			return err
		}
	}
	return nil
}

// setUp makes the shape's tables, and publishes them unless the shape itself does.
func (r *Rig) setUp(ctx context.Context, s *Shape) error {
	if err := r.exec(ctx, "CREATE SCHEMA "+s.Schema()); err != nil {
		return err
	}
	setup := s.script(s.Setup)
	if err := r.exec(ctx, setup...); err != nil {
		return err
	}
	if strings.Contains(strings.Join(setup, "\n"), "ALTER PUBLICATION") {
		return nil
	}
	rows, err := r.db.Query(ctx, `SELECT format('%I.%I', relnamespace::regnamespace, relname) FROM pg_class
		WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname`, s.Schema())
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) == 0 {
		return err
	}
	for _, publication := range s.In {
		if err := r.exec(ctx, fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE ONLY %s", publication, strings.Join(tables, ", ONLY "))); err != nil {
			return err
		}
	}
	return nil
}

// script is statements that find the shape's tables without its schema's name.
func (s *Shape) script(statements []string) []string {
	all := []string{"SET search_path TO " + s.Schema()}
	for _, one := range statements {
		all = append(all, strings.ReplaceAll(one, "{publication}", string(s.In[0])))
	}
	return all
}

// load reads the lists as far as this server has what they need.
func (r *Rig) load(ctx context.Context) error {
	all, err := typecases.Load()
	if err != nil {
		return err
	}
	rows, err := r.db.Query(ctx, "SELECT name FROM pg_available_extensions")
	if err != nil {
		return err
	}
	extensions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	var absent []string
	r.types, absent = all.Comparable().On(r.major, extensions)
	if len(absent) > 0 {
		r.say("this server lacks the types of the columns %s", strings.Join(absent, ", "))
	}
	shapes, err := LoadShapes()
	if err != nil {
		return err
	}
	for _, s := range shapes {
		if s.Since <= r.major {
			r.shapes = append(r.shapes, s)
		} else {
			r.say("this server lacks the shape %s", s.Name)
		}
	}
	return nil
}
