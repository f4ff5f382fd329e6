package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"penstock/internal/fault"
)

// updateRows is how many rows one transaction sends again.
const updateRows = 500

// repair has rows that differ sent again, and deletes those that should not be there.
//
// A row is sent by an update in the source that sets a column to what it is: so it takes
// its place among all other changes, with a version of its own, and reaches Kafka and
// the stores by the way of all others. What no row of the source stands for cannot come
// that way: it is deleted where it was found, just above the version that it has there.
func (r *run) repair(ctx context.Context, found []finding, seen *latest) error {
	asOf := r.course.position.Version // of changes that the last snapshot shows
	var send [sides]map[string]bool
	send[stream], send[lookup] = map[string]bool{}, map[string]bool{}
	remove := make([][]*entry, len(r.places))
	refused := make([]string, len(found)) // why a finding cannot be repaired; empty where it can
	for i := range found {
		f := &found[i]
		refused[i] = r.byHand(f)
		switch {
		case refused[i] != "":
		case f.got != nil && f.blocks(r.places[f.place]):
			remove[f.place] = append(remove[f.place], f.got)
			send[f.side][f.key] = true
		case f.kind == Extra:
			remove[f.place] = append(remove[f.place], f.got)
		default:
			send[f.side][f.key] = true
		}
	}
	if err := r.act(ctx, send, remove, asOf); err != nil {
		return err
	}
	var again []*suspect
	for i, last := 0, map[*suspect]bool{}; i < len(found); i++ {
		if s := found[i].suspect; refused[i] == "" && !last[s] {
			last[s] = true
			again = append(again, s)
		}
	}
	left, err := r.recheck(ctx, again, seen)
	if err != nil {
		return err
	}
	r.outcome(found, left, refused)
	return nil
}

// byHand says why a finding cannot be repaired, and what is to be done instead; empty where it can.
func (r *run) byHand(f *finding) string {
	p := r.places[f.place]
	switch {
	case f.kind == Changing:
		return ""
	case f.waiting != "":
		return "it waits for dead letter " + f.waiting + ": penstock dlq show " + f.waiting
	case f.kind == Unreadable:
		return "the row has to be mended in the source: " + f.why
	case f.kind == Extra && p.store == nil:
		return "Kafka lacks the row's delete, and nothing but the capture writes there"
	case f.got != nil && f.got.foreign:
		return "it is nothing that the pipeline has written: delete it, or rename it"
	case f.ahead && !f.blocks(p):
		return "no change replaces it: delete it in the store, and repair again once its tombstone is gone"
	}
	return ""
}

// blocks reports whether a hash keeps every change out, because its version is none or
// is above all others: only without it the row can come again.
func (f *finding) blocks(p *place) bool {
	_, hash := p.store.(*hashStore)
	return hash && (f.ahead || f.got.torn != "")
}

// act does what there is to do: lookup rows first, which the others are joined with.
func (r *run) act(ctx context.Context, send [sides]map[string]bool, remove [][]*entry, asOf int64) error {
	r.cfg.Progress.begin("repairing", int64(len(send[stream])+len(send[lookup])))
	for i, entries := range remove {
		if len(entries) == 0 {
			continue
		}
		if err := r.places[i].store.remove(ctx, entries, asOf); err != nil {
			return fmt.Errorf("delete from %s: %w", r.places[i].name, err)
		}
	}
	for _, of := range []side{lookup, stream} {
		for some := range slices.Chunk(slices.Sorted(maps.Keys(send[of])), updateRows) {
			if err := r.postgres.touch(ctx, of, some); err != nil {
				return err
			}
			r.cfg.Progress.done.Add(int64(len(some)))
		}
	}
	return nil
}

// touch updates rows to what they are. A row that is gone is none to repair.
func (p *postgres) touch(ctx context.Context, of side, keys []string) error {
	t := &p.stream
	if of == lookup {
		t = &p.lookup
	}
	args, err := p.keyArgs(of, keys)
	if err != nil {
		return err
	}
	from, condition := t.keysOf("t")
	query := fmt.Sprintf("UPDATE %s AS t SET %s = t.%s FROM %s WHERE %s", t.sql, t.idle, t.idle, from, condition)
	result := p.beside.PgConn().ExecParams(ctx, query, args, nil, nil, nil).Read()
	if result.Err == nil {
		return nil
	}
	err = p.fault("send rows of "+t.name.String()+" again", result.Err)
	if refused, ok := errors.AsType[*pgconn.PgError](result.Err); ok && refused.Code == "42501" {
		return &fault.Error{
			Kind: fault.Usage, Where: p.where, What: "rows of " + t.name.String() + " may not be updated", Err: refused,
			Why: "a row is repaired by an update that changes nothing of it",
			Fix: fmt.Sprintf("GRANT UPDATE (%s) ON %s TO the user of source.dsn", t.idle, t.name),
		}
	}
	return err
}

// outcome tells of each finding what has become of it.
func (r *run) outcome(found, left []finding, refused []string) {
	still := map[*suspect]map[int]*finding{}
	for i := range left {
		f := &left[i]
		if still[f.suspect] == nil {
			still[f.suspect] = map[int]*finding{}
		}
		still[f.suspect][f.place] = f
	}
	for i := range found {
		f := &found[i]
		d := r.difference(f)
		switch after := still[f.suspect][f.place]; {
		case refused[i] != "":
			d.Unrepaired = refused[i]
		case after == nil:
			d.Repaired = true
		case after.kind == Changing:
			d.Unrepaired = "it is changing"
		default:
			d.Fields, d.Unrepaired = after.fields, "it still differs"
		}
		if d.Repaired {
			r.report.Repaired++
		} else {
			r.report.Left++
		}
		r.cfg.OnDifference(d)
	}
}
