package verify

import (
	"context"
	"slices"
	"strings"
	"time"

	"penstock/sink/cassandra"
	"penstock/sink/plan"
	"penstock/sink/redis"
)

// side is one of the two source tables.
type side int

const (
	stream side = iota
	lookup
	sides
)

// place is one thing that is compared: a table of Cassandra, the hashes of Redis, the
// rows of a source table in Kafka.
type place struct {
	name    string
	side    side
	fields  []string
	address int // how many of the fields, from the first, are the key that an entry is found by; 0: by that of its row
	join    int // the field that has the stream row's join value as the record key has it; -1 for none
	ttl     time.Duration

	// values are what the place should have of a row; nil for a row that it should not have.
	values func(r *sourceRow) []plan.Value
	store  store // nil for Kafka, which has its own reader
}

// store is where the entries of a place are kept.
type store interface {
	// scan visits every entry, concurrently; an entry is valid during the call only.
	scan(ctx context.Context, visit func(*entry) error) error
	// read returns the entries at the addresses of others, in their order, nil for none.
	read(ctx context.Context, at []*entry) ([]*entry, error)
	// remove deletes the entries as they were found. What was written meanwhile stays.
	// One without a version is deleted as of a time, in microseconds.
	remove(ctx context.Context, entries []*entry, asOf int64) error
}

// sourceRow is a row of one of the tables of Postgres, joined.
type sourceRow struct {
	side   side
	key    string
	row    plan.Row        // of the stream table, computed
	passes bool            // the filter lets it pass
	lookup *plan.LookupRow // of the lookup table

	join  string // the record key of its changes
	state string // changes with each update of what it is made of; only where it was read by key
	err   error  // why the pipeline cannot take it
}

// entry is what the place should have of the row, nil for nothing.
func (p *place) entry(r *sourceRow) *entry {
	if r.err != nil {
		return &entry{key: r.key, unreadable: r.err}
	}
	values := p.values(r)
	if values == nil {
		return nil
	}
	return &entry{key: r.key, values: values}
}

// historyPlace is where the history stands among the places.
const historyPlace = 2

// places lists what a pipeline keeps.
func places(p *plan.Plan, tables *cassandra.Store, hashes *redis.Store) []*place {
	streamColumns, lookupColumns := p.SourceColumns()
	list := []*place{
		{
			name: "kafka " + p.Stream.String(), side: stream, fields: streamColumns, join: p.Join,
			values: func(r *sourceRow) []plan.Value { return r.row[:len(streamColumns)] },
		}, {
			name: "kafka " + p.Lookup.String(), side: lookup, fields: lookupColumns, join: p.LookupKey() - len(streamColumns),
			values: func(r *sourceRow) []plan.Value { return r.lookup.Values },
		},
		tablePlace(p, &p.History, tables, func(*sourceRow) bool { return true }),
		lookupPlace(p, tables),
	}
	for i := range p.Views {
		list = append(list, tablePlace(p, &p.Views[i], tables, func(r *sourceRow) bool { return r.passes }))
	}
	return append(list, redisPlace(p, hashes))
}

func tableFields(t *plan.Table) (name string, fields []string) {
	for i := range t.Columns {
		fields = append(fields, t.Columns[i].Name)
	}
	return "cassandra " + strings.TrimPrefix(t.Keyspace+"."+t.Name, "."), fields
}

func tablePlace(p *plan.Plan, t *plan.Table, tables *cassandra.Store, has func(*sourceRow) bool) *place {
	name, fields := tableFields(t)
	key := make([]int, len(p.Key)) // the column that has each value of the row's key
	for i, slot := range p.Key {
		key[i] = slices.IndexFunc(t.Columns, func(c plan.TableColumn) bool { return c.Slot == slot && c.Form == plan.Plain })
	}
	return &place{
		name: name, side: stream, fields: fields, address: t.Partition + t.Clustering, ttl: t.TTL,
		join: slices.IndexFunc(t.Columns, func(c plan.TableColumn) bool { return c.Slot == p.Join && c.Form != plan.Bucket }),
		values: func(r *sourceRow) []plan.Value {
			if !has(r) {
				return nil
			}
			values := make([]plan.Value, len(t.Columns))
			for i := range t.Columns {
				values[i] = p.Kept(&t.Columns[i], r.row)
			}
			return values
		},
		store: &tableStore{tables: tables, table: t, key: key},
	}
}

func lookupPlace(p *plan.Plan, tables *cassandra.Store) *place {
	t := &p.Lookups
	name, fields := tableFields(t)
	first, _ := p.LookupSlots()
	return &place{
		name: name, side: lookup, fields: fields, address: t.Partition + t.Clustering, join: 0,
		values: func(r *sourceRow) []plan.Value {
			values := make([]plan.Value, len(t.Columns))
			for i := range t.Columns {
				values[i] = plan.KeptValue(t.Columns[i].Form, r.lookup.Values[t.Columns[i].Slot-first])
			}
			return values
		},
		store: &tableStore{tables: tables, table: t, key: []int{0}},
	}
}

// The fields of a hash that are not the plan's: its key, and what else stands in it.
const (
	keyField   = "key"
	otherField = "(other fields)"
)

func redisPlace(p *plan.Plan, hashes *redis.Store) *place {
	fields := []string{keyField}
	for _, f := range p.Redis.Fields {
		fields = append(fields, f.Name)
	}
	join := slices.IndexFunc(p.Redis.Fields, func(f plan.Field) bool { return f.Slot == p.Join })
	if join >= 0 {
		join++ // behind the key
	}
	return &place{
		name: "redis", side: stream, fields: append(fields, otherField), address: 1, join: join,
		values: func(r *sourceRow) []plan.Value {
			if !r.passes {
				return nil
			}
			values := make([]plan.Value, len(fields)+1)
			values[0] = plan.TextOf(hashes.KeyOf(r.row))
			for i, f := range p.Redis.Fields {
				if v := r.row[f.Slot]; !v.IsNull() {
					values[i+1] = plan.TextOf(v.String())
				}
			}
			return values
		},
		store: &hashStore{hashes: hashes, plan: p},
	}
}
